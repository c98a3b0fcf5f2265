"""Experts and their ONNX files."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from msgspec.structs import replace

from schemas.messages import LabelledEvent, Recipe
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.pipeline import Pipeline
from tests.trainer.model_digests import FAMILIES, SMALL, TASKS, digests
from trainer import candidates, onnx_export
from trainer.candidates import BACKGROUND_ROWS, MAX_LOSS, UNSEEN, FittedExpert
from trainer.errors import ParityError, UnknownFamily, UnusableRows
from trainer.families import MEMBERS
from trainer.history import History, Rows, TrainingRows
from trainer.onnx_export import check_parity, export, read_metadata, run

Make = Callable[..., Pipeline]
Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
ROOT = Path(__file__).parents[2]

# The converters' own libraries warn about each other.
pytestmark = pytest.mark.filterwarnings("default")


def data_of(pipeline: Pipeline, events: list[LabelledEvent], first: int = 0) -> TrainingRows:
    history = History(pipeline)
    for offset, event in enumerate(events):
        history.append(offset, event)
    return history.dataset(first, len(events) - 1)


def fit(pipeline: Pipeline, family: str, data: TrainingRows, **parameters: float) -> FittedExpert:
    """The family's model, fitted."""
    recipe = Recipe(family=family, window="all", dataset=data.dataset, seed=0, parameters={**parameters})
    return candidates.fit(pipeline, recipe, data)


def small(pipeline: Pipeline, family: str, data: TrainingRows) -> FittedExpert:
    """The family's model with parameters that fit fast."""
    return fit(pipeline, family, data, **SMALL.get(family, {}))


def strange_rows(pipeline: Pipeline, events: list[LabelledEvent]) -> Rows:
    """Rows with nothing, unknown categories, infinities and huge numbers."""
    odd = [[0.0, None, None, None], [1e300, float("inf"), "never seen", True], [float("-inf"), -1e30, "", False]]
    strange = [replace(event, features=features) for event, features in zip(events, odd, strict=False)]
    return History(pipeline).rows_of([*strange, *events[3:]])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_the_file_answers_like_the_model_and_is_the_same_each_time(
        make_pipeline: Make, stream: Stream, task: str, family: str) -> None:
    pipeline = make_pipeline(task)
    events = stream(pipeline, 0, 400)
    data = data_of(pipeline, events)
    expert = small(pipeline, family, data)
    file = export(expert)
    assert file == export(small(pipeline, family, data))
    assert check_parity(file, expert, data.rows, 1e-5) < 1e-5
    assert check_parity(file, expert, strange_rows(pipeline, events), 1e-5) < 1e-5


@pytest.mark.parametrize("descending", [False, True])
def test_the_file_does_not_depend_on_the_order_in_which_the_converter_names_its_operator_sets(
        make_pipeline: Make, stream: Stream, monkeypatch: pytest.MonkeyPatch, *, descending: bool) -> None:
    pipeline = make_pipeline()
    expert = fit(pipeline, "lightgbm", data_of(pipeline, stream(pipeline, 0, 200)))
    convert = onnx_export._convert

    def in_order(expert: FittedExpert) -> onnx.ModelProto:
        graph = convert(expert)
        opsets = sorted(graph.opset_import, key=lambda opset: opset.domain, reverse=descending)
        del graph.opset_import[:]
        graph.opset_import.extend(opsets)
        return graph

    monkeypatch.setattr(onnx_export, "_convert", in_order)
    domains = [opset.domain for opset in onnx.load_from_string(export(expert)).opset_import]
    assert len(domains) > 1
    assert domains == sorted(domains)


@pytest.mark.parametrize("task", TASKS)
def test_what_a_file_says_about_itself_is_read_back(make_pipeline: Make, stream: Stream, task: str) -> None:
    pipeline = make_pipeline(task)
    expert = fit(pipeline, "logistic", data_of(pipeline, stream(pipeline, 0, 200)))
    assert read_metadata(export(expert)) == expert.metadata


@pytest.mark.parametrize(("rows", "kept"), [(60, 60), (250, BACKGROUND_ROWS)])
def test_the_file_holds_rows_that_it_was_fitted_on_from_the_oldest_to_the_newest(
        make_pipeline: Make, stream: Stream, rows: int, kept: int) -> None:
    pipeline = make_pipeline()
    events = stream(pipeline, 0, rows)
    background = read_metadata(export(fit(pipeline, "logistic", data_of(pipeline, events)))).background
    places = [next(k for k, event in enumerate(events) if tuple(event.features) == row) for row in background]
    assert (len(set(places)), places[0], places[-1]) == (kept, 0, rows - 1)
    assert max(np.diff(places)) - min(np.diff(places)) <= 1


def test_the_file_says_what_it_is(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline("multiclass")
    expert = fit(pipeline, "lightgbm", data_of(pipeline, stream(pipeline, 0, 200)))
    session = onnxruntime.InferenceSession(export(expert))
    metadata = ModelMetadata.from_json(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert metadata.classes == ("a", "b", "c")
    assert metadata.categories == {"colour": ("b", "g", "r")}
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("label", [None]), ("probabilities", [None, 3])]
    label, probabilities = (np.asarray(o) for o in session.run(None, {"x": np.zeros((2, 4), dtype=np.float32)}))
    assert label.tolist() == probabilities.argmax(axis=1).tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_class_that_the_window_lacks_keeps_its_column(make_pipeline: Make, stream: Stream, family: str) -> None:
    pipeline = make_pipeline("multiclass")
    events = [replace(e, label="zebra") for e in stream(pipeline, 0, 5)] + stream(pipeline, 5, 300)
    expert = small(pipeline, family, data_of(pipeline, events, first=5))
    assert expert.metadata.classes == ("a", "b", "c", "zebra")
    rows = History(pipeline).rows_of(events)
    answers = run(export(expert), expert.matrix(rows))
    assert answers[:, 3] == pytest.approx(UNSEEN)
    assert answers.sum(axis=1) == pytest.approx(1.0)
    assert answers == pytest.approx(expert.predict(rows), abs=1e-5)
    assert expert.losses(rows, 1.0)[:5] == [MAX_LOSS] * 5


def test_losses_do_not_depend_on_how_many_rows_are_asked_at_once(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    events = stream(pipeline, 0, 300)
    rows = History(pipeline).rows_of(events)
    for family in FAMILIES:
        expert = small(pipeline, family, data_of(pipeline, events))
        assert expert.losses(rows, 1.0) == [expert.losses(rows.part(i, i + 1), 1.0)[0] for i in range(len(rows))]


def test_regression_losses_are_absolute_errors_over_the_scale(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline("regression")
    events = stream(pipeline, 0, 100)
    rows = History(pipeline).rows_of(events)
    expert = fit(pipeline, "logistic", data_of(pipeline, events))
    errors = np.abs(expert.predict(rows) - np.array(rows.labels, dtype=np.float64))
    assert expert.losses(rows, 2.0) == pytest.approx(np.minimum(errors / 2.0, MAX_LOSS), abs=1e-6)


def test_rows_of_one_class_cannot_train(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    events = [replace(e, label="yes") for e in stream(pipeline, 0, 100)]
    with pytest.raises(UnusableRows, match="two classes"):
        fit(pipeline, "lightgbm", data_of(pipeline, events))


def test_another_models_file_fails_parity(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    data = data_of(pipeline, stream(pipeline, 0, 200))
    experts = [fit(pipeline, family, data) for family in ("lightgbm", "logistic")]
    rows = History(pipeline).rows_of(stream(pipeline, 0, 200))
    with pytest.raises(ParityError, match=r"gate\.parity allows 1e-05"):
        check_parity(export(experts[0]), experts[1], rows, 1e-5)


def test_values_with_few_decimals_fall_on_the_same_side_of_every_threshold(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline("regression")

    def coarse(event: LabelledEvent, decimals: int) -> LabelledEvent:
        x, y, *others = event.features
        assert isinstance(x, float)
        return replace(event, features=[round(x, decimals), y, *others])

    data = data_of(pipeline, [coarse(e, 1) for e in stream(pipeline, 0, 400)])
    halfway = History(pipeline).rows_of([coarse(e, 2) for e in stream(pipeline, 400, 1_200)])
    for family in ("lightgbm", "forest", "voting", "stacking"):
        expert = fit(pipeline, family, data)
        check_parity(export(expert), expert, halfway, 1e-5)


def test_a_fresh_process_exports_the_same_bytes_of_every_family_and_task() -> None:
    """Its hashes of text are others, so whatever comes out of a set comes in another order; it has no data frames."""
    found = subprocess.run([sys.executable, "-m", "tests.trainer.model_digests"], check=True, capture_output=True,
                           text=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert found.stdout.splitlines() == [f"{task} {family} {digest}" for task, family, digest in digests()]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_a_number_too_large_to_scale_in_single_precision_is_judged_all_the_same(
        make_pipeline: Make, stream: Stream, task: str, family: str) -> None:
    pipeline = make_pipeline(task)
    events = stream(pipeline, 0, 120)
    tight = [replace(event, features=[1e-3 * number, *event.features[1:]]) for number, event in enumerate(events)]
    expert = small(pipeline, family, data_of(pipeline, tight))
    rows = History(pipeline).rows_of([replace(events[0], features=[3e38, None, "r", True])])
    assert 0 <= expert.losses(rows, 1.0)[0] <= MAX_LOSS


def test_voting_answers_the_mean_of_its_members(make_pipeline: Make, stream: Stream) -> None:
    for task in TASKS:
        pipeline = make_pipeline(task)
        data = data_of(pipeline, stream(pipeline, 0, 200))
        answers = [fit(pipeline, family, data).predict(data.rows) for family in MEMBERS]
        assert fit(pipeline, "voting", data).predict(data.rows) == pytest.approx(np.mean(answers, axis=0))


def test_stacking_learns_a_class_that_lies_in_one_of_its_folds(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline("multiclass")
    events = [*stream(pipeline, 0, 250), *(replace(e, label="zebra") for e in stream(pipeline, 250, 300))]
    data = data_of(pipeline, events)
    expert = fit(pipeline, "stacking", data)
    check_parity(export(expert), expert, data.rows, 1e-5)


def test_stacking_needs_two_classes_outside_of_each_fold(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    events = [replace(e, label="yes" if k < 50 else "no") for k, e in enumerate(stream(pipeline, 0, 300))]
    with pytest.raises(UnusableRows, match="two classes in the others"):
        fit(pipeline, "stacking", data_of(pipeline, events))
    with pytest.raises(UnusableRows, match="2 rows make no 3 folds"):
        fit(pipeline, "stacking", data_of(pipeline, events[49:51]))


def test_a_recipe_is_fitted_with_its_own_parameters_and_seed(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    data = data_of(pipeline, stream(pipeline, 0, 200))
    assert fit(pipeline, "lightgbm", data, trees=7).model.n_estimators_ == 7
    assert fit(pipeline, "mlp", data, epochs=3).model.steps[-1][1].n_iter_ == 3
    recipe = Recipe(family="forest", window="all", dataset=data.dataset, seed=0)
    fresh = History(pipeline).rows_of(stream(pipeline, 200, 250))
    one, other = (candidates.fit(pipeline, replace(recipe, seed=seed), data).predict(fresh) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_recipe_of_another_versions_family_is_refused_by_name(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    with pytest.raises(UnknownFamily, match="'oracle', which this version does not have; it has lightgbm"):
        fit(pipeline, "oracle", data_of(pipeline, stream(pipeline, 0, 50)))


def test_a_forest_stays_small_however_many_rows_there_are(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline("multiclass")
    assert len(export(fit(pipeline, "forest", data_of(pipeline, stream(pipeline, 0, 3_000))))) < 1 << 20
