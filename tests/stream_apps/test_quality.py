"""Live quality equals scikit-learn's figures of the same rows, and does not depend on how the log is cut."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn import metrics

from schemas.messages import LabelledEvent, Model, QualityReport
from schemas.pipeline import Gate, Pipeline, Windows
from stream_apps.quality import QualityLog
from stream_apps.quality_figures import area_under_curve
from tests.tiny import tiny_pipeline

CLASSES = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"]}


def pipeline_of(task: str, labels: int = 50) -> Pipeline:
    return replace(tiny_pipeline(task), windows=Windows(quality_labels=labels), gate=Gate(slices=("c", "a")))


def event(number: int, label: Any, revision: int = 0, **changes: Any) -> LabelledEvent:
    return replace(LabelledEvent(
        event_id=f"e{number}", entity="k", ts=number * 1_000, source=f"s-0-{number}", pipeline_digest="d", label=label,
        features=[0.0, None, "xy"[number % 2]], revision=revision, labelled_ts=number * 1_000, prediction="yes",
        score=0.75, probabilities=[0.25, 0.75], model=Model(version=str(1 + number // 30), digest="m",
                                                            epoch=number // 30)), **changes)


def served(task: str, count: int, seed: int = 1) -> list[LabelledEvent]:
    """Rows of a model that is right more often than not."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        if task == "regression":
            value = float(rng.normal(0, 3))
            said: dict[str, Any] = {"prediction": value + float(rng.normal()), "score": 0.0, "probabilities": None}
            rows.append(event(number, value, **said))
            continue
        names = CLASSES[task]
        chances = [float(p) for p in rng.dirichlet([1.0] * len(names)).astype(np.float32)]
        best = int(np.argmax(chances))
        score = chances[1] if task == "binary" else chances[best]
        label = names[best] if rng.random() < 0.6 else str(rng.choice(names))
        rows.append(event(number, label, prediction=names[best], score=score, probabilities=chances))
    return rows


def shown_before(task: str) -> list[LabelledEvent]:
    """A bootstrap's rows: labels alone, in no alphabetical order."""
    labels = [2.5] if task == "regression" else CLASSES[task][::-1]
    return [event(10_000 + k, label, model=None, prediction=None, score=None, probabilities=None)
            for k, label in enumerate(labels)]


def reports(log: QualityLog, rows: Sequence[tuple[int, LabelledEvent]]) -> list[QualityReport]:
    return [report for offset, row in rows if (report := log.add(offset, row)) is not None]


def expected(task: str, rows: Sequence[LabelledEvent]) -> dict[str, float]:
    labels, predictions = [r.label for r in rows], [r.prediction for r in rows]
    if task == "regression":
        return {"mae": metrics.mean_absolute_error(labels, predictions),
                "rmse": metrics.root_mean_squared_error(labels, predictions)}
    names, chances = CLASSES[task], np.array([r.probabilities for r in rows], dtype=np.float64)
    chances /= chances.sum(axis=1, keepdims=True)
    found = {"accuracy": metrics.accuracy_score(labels, predictions),
             "log_loss": metrics.log_loss(labels, chances, labels=names)}
    if task == "multiclass":
        truth = np.array([[label == name for name in names] for label in labels], dtype=float)
        return found | {"brier": ((chances - truth) ** 2).sum(axis=1).mean()}
    score = [r.score for r in rows]
    return found | {"auc": metrics.roc_auc_score([label == "yes" for label in labels], score),
                    "brier": metrics.brier_score_loss([label == "yes" for label in labels], score)}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("seed", range(5))
def test_the_figures_are_those_of_scikit_learn(task: str, seed: int) -> None:
    rows = served(task, 50, seed)
    (report,) = reports(QualityLog(pipeline_of(task)), list(enumerate([*shown_before(task), *rows])))
    parts = {(q.version, q.feature, q.value): q for q in report.qualities}
    wanted = {(None, None, None): rows, ("2", None, None): rows[30:], ("1", None, None): rows[:30],
              (None, "c", "x"): rows[0::2], (None, "c", "y"): rows[1::2]}  # a number, such as 'a', is no slice
    assert list(parts) == list(wanted)
    for key, part in wanted.items():
        assert parts[key].rows == len(part)
        for name, value in expected(task, part).items():
            assert getattr(parts[key], name) == pytest.approx(value, abs=2e-6), (key, name)


def test_no_change_is_the_label_before_whatever_the_part() -> None:
    rows = [event(k, "no" if k in {3, 4} else "yes") for k in range(6)]
    (report,) = reports(QualityLog(pipeline_of("binary", 6)), list(enumerate([*shown_before("binary"), *rows])))
    quality, odd = report.qualities[0], report.qualities[-1]
    assert (quality.accuracy, quality.no_change_accuracy) == (0.666667, 0.5)  # the bootstrap's last label is 'no'
    assert quality.kappa_temporal == pytest.approx((4 / 6 - 3 / 6) / (1 - 3 / 6), abs=1e-6)
    assert (odd.value, odd.rows, odd.no_change_accuracy) == ("y", 3, pytest.approx(1 / 3, abs=1e-6))


def test_rows_of_one_class_have_no_area_under_the_curve_and_constant_labels_no_kappa() -> None:
    (report,) = reports(QualityLog(pipeline_of("binary", 5)), list(enumerate(event(k, "yes") for k in range(5))))
    assert (report.qualities[0].auc, report.qualities[0].kappa_temporal) == (None, None)
    assert report.qualities[0].no_change_accuracy == 1.0


def test_where_the_order_of_classes_is_unknown_only_what_does_not_need_it_is_said() -> None:
    rows = [event(k, "a", prediction="c", score=0.5, probabilities=[0.2, 0.3, 0.5]) for k in range(5)]
    (report,) = reports(QualityLog(pipeline_of("multiclass", 5)), list(enumerate(rows)))
    assert (report.qualities[0].accuracy, report.qualities[0].log_loss, report.qualities[0].brier) == (0.0, None, None)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
def test_the_area_under_the_curve_counts_ties_as_half(rows: list[tuple[bool, float]]) -> None:
    positive, score = np.array([p for p, _ in rows]), np.array([round(s, 1) for _, s in rows])
    found = area_under_curve(positive, score)
    pairs = [(score[i] > score[j]) + (score[i] == score[j]) / 2
             for i in np.flatnonzero(positive) for j in np.flatnonzero(~positive)]
    assert found is None if not pairs else found == pytest.approx(np.mean(pairs))


def test_each_event_counts_once_with_its_newest_label_and_never_once_its_labels_contradicted_each_other() -> None:
    log = [event(0, "yes"), event(1, "no"), event(0, "no", 1), event(1, "no", conflict=True), event(2, "yes"),
           event(2, "yes"), event(3, "yes", conflict=True), event(3, "no", 1), event(4, "no"), event(0, "yes", 2)]
    (report, later) = reports(QualityLog(pipeline_of("binary", 3)), list(enumerate(
        [*log, event(5, "no"), event(6, "no"), event(7, "no")])))
    assert (report.first, report.last, report.qualities[0].rows, report.qualities[0].accuracy) == (0, 8, 3, 0.333333)
    assert (later.first, later.last, later.qualities[0].rows) == (9, 12, 3)  # what was reported is not counted again


@settings(max_examples=30, deadline=2_000)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["yes", "no"]), st.integers(0, 2), st.booleans()),
                max_size=120), st.data())
def test_a_log_that_goes_on_after_a_report_gives_the_reports_of_one_that_read_all(
        drawn: list[tuple[int, str, int, bool]], data: st.DataObject) -> None:
    pipeline = pipeline_of("binary", 7)
    rows = [(offset, event(number, label, revision, conflict=conflict))
            for offset, (number, label, revision, conflict) in enumerate(drawn)]
    whole = reports(QualityLog(pipeline), rows)
    for report in whole:
        assert report.qualities[0].rows == 7
    cut = data.draw(st.integers(0, len(whole)))
    resumed = QualityLog(pipeline, whole[cut - 1] if cut else None)
    assert whole[:cut] + reports(resumed, rows[resumed.resume_at:]) == whole


def test_versions_and_values_beyond_the_bounds_are_counted() -> None:
    rows = [event(k, "yes", features=[0.0, None, f"v{k:02}"], model=Model(version=str(k), digest="m", epoch=k))
            for k in range(30)]
    (report,) = reports(QualityLog(pipeline_of("binary", 30)), list(enumerate(rows)))
    assert report.left_out == 20
    assert [q.version for q in report.qualities if q.version][:2] == ["29", "28"]
    assert len(report.qualities) == 1 + 20 + 20
