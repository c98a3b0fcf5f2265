"""The oracle hears again what the detectors heard: a firing added, left out or moved is found, as is its alert."""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from automl_stream.verify.firings import FIRINGS
from automl_stream.verify.recording import Recording
from automl_stream.verify.verdict import judge
from schemas.codec import decode
from schemas.messages import DriftAlert, DriftReport, Firing, LabelledEvent, Prediction
from schemas.pipeline import Task
from schemas.topics import DRIFT_ALERTS, DRIFT_STATS, LABELLED, MODEL_ARTIFACTS

from .model import onnx_bytes, profile_bytes, tiny_pipeline
from .mutation import altered, dropped, with_records
from .run import Run

CHANGE = 120


def watched_run(detectors: Sequence[str] = ("ddm", "page_hinkley"), task: Task = "binary") -> Recording:
    """Two profiles, 400 rows; under each the answers are right at first and wrong later. Only `ddm` may alert."""
    plain = tiny_pipeline()
    alerting = tuple(name for name in detectors if name == "ddm")
    run = Run(pipeline=replace(plain, pipeline=replace(plain.pipeline, task=task), drift=replace(
        plain.drift, detectors=tuple(detectors), alerting_detectors=alerting)))
    models = [run.announce(onnx_bytes(run.pipeline, 1.0 + k), profile_bytes(float(k), 0.5)) for k in range(2)]
    for i in range(400):
        run.event(i % 2, f"e{i}", i * 250, {"a": (i % 7) / 3 - 1, "b": i % 3, "c": "xyz"[i % 3]})
    for partition in range(2):
        run.watermark(partition, 150_000, ends=True)
        run.score(partition, [(100, models[0], False), (101, models[1], False)])
    run.label_everything(lambda p: truth(p, task))
    run.report_everything(alarm=None)
    return run.recording()


def truth(prediction: Prediction, task: Task) -> str:
    later = int(prediction.event_id[1:]) % 200 >= CHANGE
    if task == "regression":
        return str(float(prediction.prediction) + (9.0 if later else 0.5))
    return "neither" if later and int(prediction.event_id[1:]) % 3 else str(prediction.prediction)


@pytest.fixture(scope="module")
def watched() -> Recording:
    return watched_run()


def reports(recording: Recording) -> list[DriftReport]:
    return [decode(r.value or b"", DriftReport) for r in recording.log(DRIFT_STATS).records]


def firing_window(recording: Recording) -> int:
    return next(n for n, report in enumerate(reports(recording)) if report.firings)


def corrected(recording: Recording, row: int) -> Recording:
    event = decode(recording.log(LABELLED).records[row].value or b"", LabelledEvent)
    return altered(recording, LABELLED, row, LabelledEvent, label=event.prediction)


def test_a_sound_recording_with_firings_under_both_profiles_passes(watched: Recording) -> None:
    assert {report.profile for report in reports(watched) if report.firings} == {r.profile for r in reports(watched)}
    assert [decode(r.value or b"", DriftAlert).detector for r in watched.log(DRIFT_ALERTS).records] == ["ddm"] * 2
    verdict = judge(watched)
    assert [d for d in verdict.differences if d.check in {FIRINGS, "alerts", "reports"}] == []
    assert verdict.checks[FIRINGS].looked_at == len(reports(watched))


MOVED = [Firing(detector="ddm", offset=1, rose=True)]
FOUND: dict[str, tuple[str, Callable[[Recording], Recording]]] = {
    "a firing left out": (FIRINGS, lambda r: altered(r, DRIFT_STATS, firing_window(r), DriftReport, firings=[])),
    "a firing at another row": (
        FIRINGS, lambda r: altered(r, DRIFT_STATS, firing_window(r), DriftReport, firings=MOVED)),
    "a firing invented": (FIRINGS, lambda r: altered(r, DRIFT_STATS, 0, DriftReport, firings=MOVED)),
    "an answer that was right after all": (FIRINGS, lambda r: corrected(r, reports(r)[1].firings[0].offset)),
    "a detector's alert removed": ("alerts", lambda r: dropped(r, DRIFT_ALERTS, 0)),
    "an alert of a detector that may not": (
        "alerts", lambda r: altered(r, DRIFT_ALERTS, 0, DriftAlert, detector="page_hinkley")),
    "an alert under the budgeted one's id": ("alerts", lambda r: altered(r, DRIFT_ALERTS, 0, DriftAlert, detector="")),
    "an alert that does not say its row": ("alerts", lambda r: altered(r, DRIFT_ALERTS, 0, DriftAlert, sentence="")),
    "an alert before other rows": (
        "alerts", lambda r: altered(r, DRIFT_ALERTS, 0, DriftAlert, labelled_offset=1)),
    "a detector's alert in a window of alarm": (
        "alerts", lambda r: altered(r, DRIFT_STATS, firing_window(r), DriftReport, alarm=True)),
}


@pytest.mark.parametrize("name", FOUND)
def test_one_thing_changed_is_found(watched: Recording, name: str) -> None:
    check, mutate = FOUND[name]
    assert check in {difference.check for difference in judge(mutate(watched)).differences}


def test_what_was_said_under_another_pipeline_file_is_not_judged_and_it_says_so(watched: Recording) -> None:
    other = watched
    for n in range(len(reports(watched))):
        other = altered(other, DRIFT_STATS, n, DriftReport, pipeline_digest="another", firings=[])
    found = judge(other).checks[FIRINGS]
    assert (found.looked_at, found.differences) == (0, 0)
    assert found.notes == [f"{len(reports(watched))} reports are of another pipeline file, or their profile is gone"]


def test_absolute_errors_are_heard_in_the_units_of_their_profile_while_it_is_there() -> None:
    recording = watched_run(["adwin", "page_hinkley"], "regression")
    assert {f.detector for report in reports(recording) for f in report.firings} == {"adwin", "page_hinkley"}
    assert judge(recording).checks[FIRINGS].differences == 0
    moved = altered(recording, DRIFT_STATS, firing_window(recording), DriftReport, firings=MOVED)
    assert judge(moved).checks[FIRINGS].differences == 1
    found = judge(with_records(moved, MODEL_ARTIFACTS, [])).checks[FIRINGS]
    assert (found.looked_at, found.differences) == (0, 0)
    assert found.notes
