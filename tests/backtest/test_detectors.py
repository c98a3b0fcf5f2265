"""Detectors in a backtest: shown, alerting only where they may, and beside them how often they are wrong."""

from collections.abc import Sequence
from math import nan
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from automl_stream.backtest.detectors import NOTHING, PERMUTED, STEADY, measured
from automl_stream.backtest.document import document
from automl_stream.backtest.result import DetectorFiring, Result
from automl_stream.backtest.truth import Truth
from drift.losses import LossRow
from schemas.pipeline import Pipeline, load_pipeline
from tests.backtest.conftest import CHANGE, TRAINED, Run, payments, rows_of

SHOWN = {"detectors": ["page_hinkley", "ddm"]}
QUIET = {"min_effect": 1_000.0}


@pytest.fixture(scope="module")
def watched(run: Run) -> Result:
    """Detectors are shown and may not alert."""
    return run(payments(drift=SHOWN), truth=Truth(documented=[CHANGE]))


@pytest.fixture(scope="module")
def alerting(run: Run) -> Result:
    """Nothing but a detector alerts."""
    return run(payments(drift=SHOWN | QUIET | {"alerting_detectors": ["ddm"]}), truth=Truth(documented=[CHANGE]))


def test_detectors_that_are_shown_change_nothing_else(watched: Result, quick: Result) -> None:
    same = replace(watched, firings=[], detectors=[], false_alarms=None, delay_rows=None)
    assert replace(same, cost=quick.cost, training_seconds=quick.training_seconds) == quick
    assert watched.firings


def test_a_firing_names_the_row_of_the_file_whose_label_it_heard(watched: Result) -> None:
    assert [f.offset for f in watched.firings] == sorted(f.offset for f in watched.firings)
    assert all(f.row == f.offset for f in watched.firings)  # every row of this file has a label, at once
    windows = {window.start: window for window in watched.windows}
    assert all(f.row < windows[f.window_start].end_row + 900 for f in watched.firings)
    assert min(f.row for f in watched.firings) >= TRAINED


def test_where_nothing_else_alerts_a_detector_that_may_does_and_says_so(alerting: Result) -> None:
    assert alerting.alerts
    assert not any(window.alarm for window in alerting.windows)
    heard = {f.window_start for f in alerting.firings if f.detector == "ddm"}
    assert {alert.window_start for alert in alerting.alerts} == heard
    assert {(a.kind, a.detector) for a in alerting.alerts} == {("concept", "ddm")}
    assert all("outside the budget" in alert.sentence for alert in alerting.alerts)
    assert any(d.trigger == "alert: concept" for d in alerting.decisions)


def test_a_window_has_one_alert_and_the_budgeted_one_goes_first(run: Run) -> None:
    result = run(payments(drift=SHOWN | {"alerting_detectors": ["ddm", "page_hinkley"]}))
    starts = [alert.window_start for alert in result.alerts]
    assert len(starts) == len(set(starts))
    alarming = {window.start for window in result.windows if window.alarm}
    assert alarming
    assert {alert.window_start for alert in result.alerts if not alert.detector} == alarming
    assert len({alert.alert_id for alert in result.alerts}) == len(starts)


def test_a_program_reads_firings_and_false_alarms(watched: Result) -> None:
    found = document([watched])
    assert [each["detector"] for each in found["detectors"]] == SHOWN["detectors"]
    assert found["detectors"][0].keys() == {"detector", "alerting", "firings", "measured_on", "false_alarm_rate",
                                            "upper_bound", "steady_rows"}
    assert found["firings"][0].keys() == {"detector", "offset", "row", "rose", "window_start"}


def test_false_alarms_are_those_of_the_rows_before_the_first_documented_change(watched: Result) -> None:
    before = [f for f in watched.firings if f.row < CHANGE]
    for each in watched.detectors:
        assert (each.measured_on, each.steady_rows) == (STEADY, CHANGE - TRAINED)
        rate = len([f for f in before if f.detector == each.detector]) / each.steady_rows
        assert each.false_alarm_rate == rate
        assert (each.upper_bound or 0) > rate
        assert each.firings == len([f for f in watched.firings if f.detector == each.detector])


def losses(values: Sequence[float]) -> list[tuple[int, LossRow]]:
    return [(1_000 + k, LossRow(k, value, wrong=value > 1)) for k, value in enumerate(values)]


PIPELINE: Pipeline = payments(drift=SHOWN)


def test_without_a_truth_the_rows_are_measured_in_random_order_and_always_the_same() -> None:
    rising = losses([0.0] * 400 + [2.0] * 400)
    found = measured(PIPELINE, rising, [], None)
    assert {(each.measured_on, each.steady_rows) for each in found} == {(PERMUTED, 800)}
    assert found == measured(PIPELINE, rising, [], None)
    in_order = measured(PIPELINE, rising, [], Truth(documented=[], kinds=[["none"]]))
    assert all((a.false_alarm_rate or 0) <= (b.false_alarm_rate or 0) for a, b in zip(found, in_order, strict=True))
    assert in_order[0].false_alarm_rate == 1 / 800


def test_changes_before_the_first_scored_row_are_over() -> None:
    some = losses(np.random.default_rng(1).random(300).tolist())
    (first, _) = measured(PIPELINE, some, [], Truth(documented=[500, 1_000, 1_200]))
    assert (first.measured_on, first.steady_rows) == (STEADY, 200)


@pytest.mark.parametrize("nothing", [[], [nan, nan]])
def test_where_there_is_no_usable_loss_it_says_so(nothing: list[float]) -> None:
    fired = [DetectorFiring(detector="ddm", offset=1, row=1, rose=True, window_start=0)]
    (_, ddm) = measured(PIPELINE, losses(nothing), fired, None)
    assert (ddm.measured_on, ddm.false_alarm_rate, ddm.upper_bound, ddm.firings) == (NOTHING, None, None, 1)


def test_numbers_are_watched_by_the_detectors_of_losses(run: Run) -> None:
    pricing = load_pipeline(Path("pipelines/pricing.toml"))
    pricing = replace(pricing, drift=replace(pricing.drift, detectors=("adwin", "page_hinkley")),
                      retraining=replace(pricing.retraining, families=("logistic",), windows=("all",)))
    result = run(pricing, rows_of(pricing, 1_000, "pricing"), 300)
    assert [each.detector for each in result.detectors] == ["adwin", "page_hinkley"]
    assert all(each.steady_rows > 0 and each.measured_on == PERMUTED for each in result.detectors)
