"""What a model says is counted like a feature, under a reference of its own, and alarms under the same budget."""

import numpy as np
import pytest
from numpy.typing import NDArray

from drift.errors import ProfileError
from drift.predictions import PredictionCounter, decode_predictions, prediction_profile, said
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from drift.verdict import Verdict
from schemas.messages import DriftReport, Model
from schemas.model_file import ModelMetadata
from schemas.pipeline import PREDICTION, Feature, Identity, Pipeline, Task
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge, Predictions

ROWS = 300
FEATURES = (Feature(name="a", type="number"),)
PIPELINE = Pipeline(pipeline=Identity(name="p", task="binary"), features=FEATURES)
PROFILE = build_profile([
    FeatureColumn(name="a", kind="number", values=np.random.default_rng(0).normal(size=2_000))])
OUTPUTS = {"binary": [[0.75, 0.25], [0.1, 0.9]], "multiclass": [[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]],
           "regression": [1.5, -2.0]}
SAID: dict[str, tuple[list[str | float], list[float]]] = {
    "binary": (["a", "b"], [0.25, 0.9]), "multiclass": (["b", "a"], [0.5, 0.6]),
    "regression": ([1.5, -2.0], [1.5, -2.0])}


def scores(rng: np.random.Generator, rows: int = ROWS, shift: float = 0.0) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-rng.normal(shift, 1, rows)))


def predictions(epoch: int, rows: int = 2_000, shift: float = 0.0) -> Predictions:
    """Of a model whose scores lie around `shift`."""
    found = scores(np.random.default_rng(epoch), rows, shift)
    return Predictions(epoch=epoch, reference=prediction_profile("binary", [], found))


def window(number: int, said_by: dict[Predictions, NDArray[np.float64]]) -> ClosedWindow:
    """One whose feature is as it was."""
    values = np.random.default_rng(number).normal(size=ROWS)
    counted = {each.epoch: np.bincount(PredictionCounter(each.reference, "binary").cells([], found),
                                       minlength=each.reference.size) for each, found in said_by.items()}
    return ClosedWindow(start=number * PIPELINE.windows.size, profile="p", profile_epoch=0, rows=ROWS, covered={},
                        counts=np.bincount(np.searchsorted(PROFILE.features[0].edges, values), minlength=PROFILE.size),
                        predictions=counted)


def rows_judged(report: DriftReport) -> dict[str, int]:
    return {feature.name: feature.rows for feature in report.features}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_prediction_is_the_class_with_its_score_or_the_value(task: Task) -> None:
    metadata = ModelMetadata(task=task, features=FEATURES, categories={}, classes=("a", "b", "c"))
    found = said(metadata, np.array(OUTPUTS[task]))
    assert (found.labels, found.scores.tolist()) == SAID[task]
    assert (found.probabilities is None) == (task == "regression")


@pytest.mark.parametrize(("task", "kind"), [("binary", "number"), ("multiclass", "category"), ("regression", "number")])
def test_scores_and_values_have_quantile_cells_and_classes_have_one_each(task: Task, kind: str) -> None:
    labels, values = ["no", "yes", "yes"] * 100, np.random.default_rng(1).normal(size=300)
    reference = prediction_profile(task, labels, values)
    (feature,) = reference.features
    assert (feature.name, feature.kind, feature.rows) == (PREDICTION, kind, 300)
    counted = np.bincount(PredictionCounter(reference, task).cells(labels, values), minlength=reference.size)
    assert tuple(counted) == feature.counts


def test_a_class_that_the_reference_did_not_show_and_a_score_out_of_its_range_have_cells() -> None:
    classes = PredictionCounter(prediction_profile("multiclass", ["a"] * 30, np.ones(30)), "multiclass")
    assert classes.cells(["a", "b"], np.ones(2)).tolist() == [0, 1]
    values = PredictionCounter(prediction_profile("regression", [], np.linspace(0, 1, 30)), "regression")
    assert values.cells([], np.array([-1.0, 2.0, np.nan])).tolist() == [0, values.size - 2, values.size - 1]


def test_a_reference_is_read_back_and_one_of_another_task_or_of_features_is_refused() -> None:
    reference = prediction_profile("binary", [], np.linspace(0, 1, 50))
    assert decode_predictions(reference.encode(), "binary") == reference
    for data, task in ((reference.encode(), "multiclass"), (PROFILE.encode(), "binary"), (b"{}", "binary")):
        with pytest.raises(ProfileError):
            decode_predictions(data, task)  # pyright: ignore[reportArgumentType]


def judged(shift: float, rows: int = 2_000) -> list[tuple[DriftReport, Verdict]]:
    """Ten windows in which the model's scores lie higher by `shift`."""
    judge, model, rng = DriftJudge(pipeline=PIPELINE, profile=PROFILE), predictions(3, rows), np.random.default_rng(9)
    return [judge.judge(window(number, {model: scores(rng, shift=shift)}), 0, model) for number in range(10)]


def test_scores_that_move_are_a_prediction_alarm_and_scores_that_stay_are_none() -> None:
    report, verdict = judged(0.7)[0]
    assert (verdict.alarm, verdict.features[0].name) == (True, PREDICTION)
    alert = DriftJudge(pipeline=PIPELINE, profile=PROFILE).alert(
        report, verdict, Model(version="1", digest="d", epoch=3))
    assert (alert.kind, alert.features) == ("prediction", [PREDICTION])
    assert alert.sentence.startswith("Drift: model.prediction moved up by ")
    assert not any(verdict.alarm for _, verdict in judged(0.0))


def test_of_too_few_independent_rows_predictions_are_shown_and_silent() -> None:
    report, verdict = judged(2.0, rows=19)[0]
    assert not verdict.alarm
    found = next(feature for feature in report.features if feature.name == PREDICTION)
    assert (found.rows, found.calibrated, found.alarm) == (ROWS, False, False)
    assert found.effect > 0.5


def test_predictions_are_one_more_feature_of_the_budget() -> None:
    judge, model = DriftJudge(pipeline=PIPELINE, profile=PROFILE), predictions(3)
    _, without = judge.judge(window(0, {}))
    _, together = judge.judge(window(1, {model: scores(np.random.default_rng(1))}), 0, model)
    assert (len(without.features), len(together.features)) == (1, 2)
    assert together.threshold == pytest.approx(without.threshold - np.log(2))


def test_what_an_earlier_model_said_counts_neither_for_nor_against_the_next() -> None:
    """The first model's scores have moved; the second's are as its own reference has them."""
    judge, rng = DriftJudge(pipeline=PIPELINE, profile=PROFILE), np.random.default_rng(5)
    first, second = predictions(3), predictions(8, shift=-2.0)
    for number in range(4):
        _, verdict = judge.judge(window(number, {first: scores(rng, shift=0.7)}), 0, first)
        assert verdict.alarm
    both = window(4, {first: scores(rng, 200, 0.7), second: scores(rng, 100, -2.0)})
    report, verdict = judge.judge(both, 0, second)
    assert (verdict.alarm, rows_judged(report)) == (False, {"a": ROWS, PREDICTION: 100})
    alone, newest = DriftJudge(pipeline=PIPELINE, profile=PROFILE), window(5, {second: scores(rng, shift=-2.0)})
    alone.remember(both)
    found = [next(f for f in each.judge(newest, 0, second)[0].features if f.name == PREDICTION)
             for each in (judge, alone)]
    assert found[0] == found[1]


def test_a_judge_that_remembers_says_what_one_that_judged_would() -> None:
    straight, restarted = (DriftJudge(pipeline=PIPELINE, profile=PROFILE) for _ in range(2))
    model, rng = predictions(3), np.random.default_rng(6)
    before, newest = (window(number, {model: scores(rng, shift=0.2)}) for number in range(2))
    straight.judge(before, 0, model)
    restarted.remember(before)
    assert straight.judge(newest, 0, model) == restarted.judge(newest, 0, model)


def test_equal_answers_give_equal_bytes() -> None:
    found = [prediction_profile("binary", [], scores(np.random.default_rng(2))).encode() for _ in range(2)]
    assert found[0] == found[1]
    assert ReferenceProfile.decode(found[0]).encode() == found[0]
