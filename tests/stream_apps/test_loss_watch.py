"""Detectors hear what the served predictions cost, and speak in the report of the window that counted the row."""

from collections.abc import Sequence
from math import inf, nan

import numpy as np
import pytest
from msgspec.structs import replace

from drift.losses import LossRow
from drift.profile import ReferenceProfile
from schemas.codec import decode, encode
from schemas.messages import DriftAlert, DriftReport, Firing, Model, derived_id
from schemas.pipeline import LOSS, Pipeline
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge
from stream_apps.loss_watch import LossWatch, alerting_firing
from tests.tiny import profile_bytes, tiny_pipeline

PROFILE = ReferenceProfile.decode(profile_bytes(losses=[0.105361, 0.223144] * 100))
MODEL = Model(version="1", digest="m", epoch=0)
RIGHT = [0.1, 0.2] * 150


def pipeline(alerting: Sequence[str] = (), task: str = "binary", detectors: Sequence[str] = ("ddm",)) -> Pipeline:
    plain = tiny_pipeline(task)
    return replace(plain, drift=replace(plain.drift, detectors=tuple(detectors), alerting_detectors=tuple(alerting)))


def rows(losses: Sequence[float], first: int = 0) -> list[LossRow]:
    return [LossRow(first + number, loss, wrong=loss > 1) for number, loss in enumerate(losses)]


def window(start: int = 0) -> ClosedWindow:
    counts = np.concatenate([np.array(f.counts, dtype=np.int64) for f in PROFILE.features])
    return ClosedWindow(start=start, profile="p", profile_epoch=0, rows=200, counts=counts, covered={"0": 5})


def worse(share: int = 4) -> list[float]:
    """One in `share` answers is wrong."""
    return [2.3 if number % share == 0 else 0.1 for number in range(60)]


def report(definition: Pipeline, *losses: Sequence[float]) -> tuple[DriftJudge, DriftReport]:
    """Of the last of so many windows of labelled rows."""
    judge, end, said = DriftJudge(pipeline=definition, profile=PROFILE), 0, None
    for number, some in enumerate(losses):
        counted = judge.loss_watch.count(window(number * 10_000), rows(some, end))
        end += len(some)
        said, _ = judge.judge(counted, end)
    assert said is not None
    return judge, said


def test_a_firing_stands_in_the_report_of_the_window_that_counted_its_row() -> None:
    _, calm = report(pipeline(), RIGHT)
    _, changed = report(pipeline(), RIGHT, worse())
    assert calm.firings == []
    assert [(f.detector, f.rose) for f in changed.firings] == [("ddm", True)]
    assert 300 <= changed.firings[0].offset < 360 == changed.labelled
    assert decode(encode(changed), DriftReport) == changed


def test_however_the_rows_are_cut_into_windows_the_firings_are_the_same() -> None:
    watched = rows([*RIGHT, *worse(), *worse(2)])
    definition = pipeline(detectors=("adwin", "ddm", "page_hinkley"))
    whole = LossWatch(pipeline=definition, profile=PROFILE).count(window(), watched).firings
    for step in (1, 7, 100):
        watch = LossWatch(pipeline=definition, profile=PROFILE)
        cut = [f for k in range(0, len(watched), step) for f in watch.count(window(), watched[k:k + step]).firings]
        assert tuple(cut) == whole != ()


@pytest.mark.parametrize("poison", [nan, inf, -inf])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_loss_that_is_not_finite_changes_no_firing(poison: float, task: str) -> None:
    definition = pipeline(task=task, detectors=("adwin", "page_hinkley"))
    clean = [row._replace(offset=2 * row.offset) for row in rows([*RIGHT, *[2.5] * 200])]
    mixed = sorted([*clean, *(LossRow(2 * k + 1, poison, wrong=True) for k in range(0, 500, 9))])
    found = [LossWatch(pipeline=definition, profile=PROFILE).count(window(), some).firings for some in (clean, mixed)]
    assert found[0] == found[1] != ()


def test_absolute_errors_are_told_in_medians_of_the_reference_so_that_their_unit_does_not_matter() -> None:
    definition = pipeline(task="regression", detectors=("adwin", "page_hinkley"))
    losses = np.random.default_rng(5).exponential([[1.0], [4.0]], (2, 400)).ravel()
    found = []
    for unit in (1e-6, 1.0, 1e6):
        reference = ReferenceProfile.decode(profile_bytes(losses=(losses[:400] * unit).tolist()))
        watch = LossWatch(pipeline=definition, profile=reference)
        found.append(watch.count(window(), rows((losses * unit).tolist())).firings)
    assert found[0] == found[1] == found[2] != ()


def test_without_reference_losses_absolute_errors_have_no_unit_and_no_detector_speaks() -> None:
    bare = ReferenceProfile.decode(profile_bytes())
    watch = LossWatch(pipeline=pipeline(task="regression", detectors=("page_hinkley",)), profile=bare)
    counted = watch.count(window(), rows([1.0] * 100 + [1e6] * 100))
    assert (counted.firings, counted.losses) == ((), None)


def test_a_detector_alerts_only_where_the_operator_lets_it_and_says_that_it_is_outside_the_budget() -> None:
    silent, said = report(pipeline(), RIGHT, worse())
    assert not said.alarm
    assert not silent.alerts(said)
    judge, said = report(pipeline(["ddm"]), RIGHT, worse())
    assert judge.alerts(said)
    _, no_alarm = DriftJudge(pipeline=pipeline(), profile=PROFILE).judge(window())
    alert = judge.alert(said, no_alarm, MODEL)
    row = said.firings[0].offset
    assert (alert.kind, alert.features, alert.detector, alert.budget) == (
        "concept", [LOSS], "ddm", "outside the budget")
    assert alert.sentence == (f"Detector ddm fired at row {row} of labelled: the loss rose. It alerts by itself, "
                              "outside the budget.")
    assert (alert.window_start, alert.window_end, alert.labelled_offset) == (10_000, 20_000, 360)
    assert alert.alert_id != derived_id("tiny", "p", "concept", 10_000)
    assert decode(encode(alert), DriftAlert) == alert


def test_the_budgeted_alert_goes_before_a_detectors() -> None:
    judge, said = report(pipeline(["ddm"]), RIGHT, [2.3] * 60)
    assert said.alarm
    assert said.firings
    assert alerting_firing(judge.pipeline, said) is None
    assert judge.alerts(said)


def test_a_loss_that_falls_is_shown_and_never_alerts() -> None:
    definition = pipeline(["page_hinkley", "ddm"], detectors=["page_hinkley", "ddm"])
    _, said = report(definition, RIGHT)
    fell = Firing(detector="page_hinkley", offset=3, rose=False)
    rose = Firing(detector="ddm", offset=5, rose=True)
    later = Firing(detector="page_hinkley", offset=7, rose=True)
    assert alerting_firing(definition, replace(said, firings=[fell])) is None
    assert alerting_firing(definition, replace(said, firings=[fell, rose, later])) == rose
