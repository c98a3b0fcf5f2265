"""Quality reports are recounted from the training log."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.quality import check_quality
from automl_stream.verify.reading import read
from automl_stream.verify.recording import Recording
from schemas.codec import decode
from schemas.messages import LabelledEvent, QualityReport
from schemas.pipeline import Windows
from schemas.topics import LABELLED, QUALITY
from stream_apps.quality import QualityLog

from .mutation import altered, dropped
from .run import small_run


@dataclass
class Judged:
    differences: list[Difference]
    looked_at: int
    notes: list[str]


def judged(recording: Recording) -> Judged:
    seen = Seen()
    return Judged(list(check_quality(read(recording), seen)), seen.count, seen.notes)


@pytest.fixture
def reported() -> Recording:
    """43 labelled rows, and the four reports of ten that they make."""
    run = small_run()
    run.pipeline = replace(run.pipeline, windows=replace(run.pipeline.windows, quality_labels=10))
    log = QualityLog(run.pipeline)
    for record in run.records[LABELLED.name]:
        report = log.add(record.offset, decode(record.value or b"", LabelledEvent))
        if report is not None:
            run.say(QUALITY, report, str(report.first))
    return run.recording()


def test_reports_that_are_what_the_rows_make_of_them_pass(reported: Recording) -> None:
    assert judged(reported) == Judged([], 4, [])


@pytest.mark.parametrize("index", range(4))
def test_a_report_that_is_missing_is_found(reported: Recording, index: int) -> None:
    assert judged(dropped(reported, QUALITY, index)).differences


def test_a_report_of_other_figures_is_found_and_hides_none(reported: Recording) -> None:
    first = decode(reported.log(QUALITY).records[1].value or b"", QualityReport).qualities
    better = [replace(quality, accuracy=1.0) for quality in first]
    (found,) = judged(altered(reported, QUALITY, 1, QualityReport, qualities=better)).differences
    assert found.where == "quality 0/1"
    assert judged(altered(reported, LABELLED, 12, LabelledEvent, label="no")).differences


def test_reports_of_another_pipeline_file_are_not_judged_and_are_gone_on_from(reported: Recording) -> None:
    foreign = altered(reported, QUALITY, 0, QualityReport, pipeline_digest="other", last=4)
    shifted = judged(foreign)
    assert (shifted.looked_at, shifted.notes) == (3, ["1 reports are of another pipeline file"])
    same = judged(altered(reported, QUALITY, 0, QualityReport, pipeline_digest="other"))
    assert (same.differences, same.looked_at) == ([], 3)
    larger = replace(reported, pipeline=replace(reported.pipeline, windows=Windows(quality_labels=99)))
    assert (judged(larger).differences, judged(larger).looked_at) == ([], 0)
