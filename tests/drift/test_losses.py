"""The loss of a labelled row is the same whoever takes it, and only its rise is an alarm of a changed concept."""

from math import inf, isnan, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from drift.losses import MAX_LOSS, LossRow, answer_loss, count_losses, loss_row, loss_unit, served_loss
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from schemas.messages import LabelledEvent, Model
from schemas.pipeline import LOSS, Feature, Identity, Pipeline
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge

ROWS = 300
PIPELINE = Pipeline(pipeline=Identity(name="p", task="binary"), features=(Feature(name="a", type="number"),))
EVENT = LabelledEvent(event_id="e", entity="x", ts=1, source="s-0-0", pipeline_digest="d", features=[1.0], label="yes",
                      labelled_ts=2)


def profile(rng: np.random.Generator) -> ReferenceProfile:
    column = FeatureColumn(name="a", kind="number", values=rng.normal(size=2_000))
    return build_profile([column], losses=rng.exponential(0.3, 2_000))


def judged(scale: float) -> list[tuple[bool, str]]:
    """Whether each of ten windows alarms, and the kind of the first feature; losses have `scale` times their mean."""
    rng = np.random.default_rng(4)
    reference = profile(rng)
    assert reference.loss is not None
    judge = DriftJudge(pipeline=PIPELINE, profile=reference)
    found = []
    for number in range(10):
        cells = np.searchsorted(reference.features[0].edges, rng.normal(size=ROWS))
        window = ClosedWindow(
            start=number * PIPELINE.windows.size, profile="p", profile_epoch=0, rows=ROWS, covered={},
            counts=np.bincount(cells, minlength=reference.size),
            losses=count_losses(reference.loss, rng.exponential(0.3 * scale, ROWS).tolist()))
        report, verdict = judge.judge(window, 7 + number)
        assert report.labelled == 7 + number
        found.append((verdict.alarm, verdict.features[0].kind))
        if verdict.alarm:
            alert = judge.alert(report, verdict, Model(version="1", digest="d", epoch=0))
            assert (alert.kind, alert.features, alert.labelled_offset) == ("concept", [LOSS], 7 + number)
    return found


LOSSES = profile(np.random.default_rng(4)).watched().features[-1]
losses = st.lists(st.floats(0, 5), max_size=20)


@given(losses, losses)
def test_losses_count_together_as_they_count_apart_in_any_order(one: list[float], two: list[float]) -> None:
    a, b, both, swapped = (count_losses(LOSSES, part) for part in (one, two, one + two, two + one))
    assert (a + b).tolist() == both.tolist() == swapped.tolist()
    assert a.sum() == len(one)


def test_losses_that_rise_are_a_concept_alarm_and_losses_that_stay_or_fall_are_none() -> None:
    assert judged(2.0)[0] == (True, "concept")
    assert not any(alarm for alarm, _ in judged(1.0))
    assert not any(alarm for alarm, _ in judged(0.3))


def test_windows_without_labelled_rows_are_judged_by_their_features_alone() -> None:
    reference = profile(np.random.default_rng(1))
    judge = DriftJudge(pipeline=PIPELINE, profile=reference)
    window = ClosedWindow(start=0, profile="p", profile_epoch=0, rows=2_000, covered={},
                          counts=np.array(reference.features[0].counts))
    report, verdict = judge.judge(window)
    assert not verdict.alarm
    assert {feature.name: feature.rows for feature in report.features} == {"a": 2_000, LOSS: 0}


@pytest.mark.parametrize(("task", "prediction", "score", "loss"), [
    ("binary", "yes", 0.8, -log(0.8)),
    ("binary", "no", 0.2, -log(0.2)),  # a claim of 0.8 that was wrong
    ("multiclass", "yes", 0.4, -log(0.4)),
    ("multiclass", "no", 0.4, -log(0.6)),
    ("multiclass", "no", 1.0, MAX_LOSS),
])
def test_a_class_costs_the_log_loss_of_its_own_claim(task: str, prediction: str, score: float, loss: float) -> None:
    assert answer_loss(task, "yes", prediction, score) == pytest.approx(loss, abs=1e-6)  # pyright: ignore[reportArgumentType]


def test_a_number_costs_its_absolute_error() -> None:
    assert answer_loss("regression", 3.0, 5.5, 5.5) == 2.5


def test_a_row_that_no_model_served_has_no_loss() -> None:
    assert served_loss("binary", EVENT) is None
    assert served_loss("binary", replace(EVENT, prediction="yes", score=0.9)) == pytest.approx(-log(0.9), abs=1e-6)


def test_a_row_says_whether_its_answer_was_wrong() -> None:
    assert loss_row("binary", 7, EVENT) is None
    right = replace(EVENT, prediction="yes", score=0.5)
    half = round(log(2), 6)
    assert loss_row("binary", 7, right) == LossRow(7, half, wrong=False)
    assert loss_row("binary", 7, replace(right, prediction="no")) == LossRow(7, half, wrong=True)


@settings(deadline=None)
@given(st.lists(st.floats(0, 100, allow_nan=False), min_size=1))
def test_the_unit_of_absolute_errors_is_the_references_median_and_never_nothing(losses: list[float]) -> None:
    column = FeatureColumn(name="a", kind="number", values=np.zeros(1))
    reference = build_profile([column], losses=np.array(losses)).loss
    unit = loss_unit("regression", reference)
    assert unit > 0
    assert unit in {*losses, 1.0}
    assert loss_unit("binary", reference) == loss_unit("multiclass", None) == 1
    if np.median(losses) > 0 and len(losses) % 2:
        assert unit == np.median(losses)


def test_without_a_reference_absolute_errors_have_no_unit() -> None:
    assert isnan(loss_unit("regression", None))


@settings(deadline=None)
@given(st.lists(st.floats(0, 100, allow_nan=False)))
def test_every_loss_is_counted_once(losses: list[float]) -> None:
    reference = profile(np.random.default_rng(1)).loss
    assert reference is not None
    counts = count_losses(reference, [*losses, inf])
    assert (counts.sum(), counts[-1]) == (len(losses) + 1, 1)
