"""Parameters found before a fit, and taken from the record where they were found before."""

from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace

from schemas.messages import Candidate, LabelledEvent, Recipe, TrainingDecision
from schemas.pipeline import Pipeline
from trainer.candidates import fit, mean_loss
from trainer.families import SETTINGS
from trainer.history import History, TrainingRows
from trainer.recipes import Plan
from trainer.tuning import HELD_OUT, TRIALS, Tuner, search, stop_early

Make = Callable[..., Pipeline]
Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def pipeline(request: pytest.FixtureRequest, make_pipeline: Make) -> Pipeline:
    """Every family with rounds stops early, and there are ten seconds for a search."""
    made = make_pipeline(request.param)
    return replace(made, retraining=replace(made.retraining, early_stop=("lightgbm", "mlp"), search_seconds=10.0))


@pytest.fixture(scope="module")
def data(pipeline: Pipeline, stream: Stream) -> TrainingRows:
    return data_of(pipeline, stream(pipeline, 0, 300))


def data_of(pipeline: Pipeline, events: list[LabelledEvent]) -> TrainingRows:
    history = History(pipeline)
    for offset, event in enumerate(events):
        history.append(offset, event)
    return history.dataset(0, len(events) - 1)


def recipe_of(data: TrainingRows, family: str, **parameters: float) -> Recipe:
    return Recipe(family=family, window="all", dataset=data.dataset, seed=0, parameters={**parameters})


def ticking() -> Callable[[], float]:
    """A clock that is a second further each time it is asked."""
    seconds = count()
    return lambda: float(next(seconds))


@pytest.mark.parametrize(("family", "name"), [("lightgbm", "trees"), ("mlp", "epochs")])
def test_an_early_stop_finds_the_same_rounds_each_time_and_the_recipe_is_fitted_with_them(
        pipeline: Pipeline, data: TrainingRows, family: str, name: str) -> None:
    stopped = stop_early(pipeline, recipe_of(data, family), data)
    assert stopped == stop_early(pipeline, recipe_of(data, family), data)
    rounds = stopped.parameters[name]
    assert isinstance(rounds, int)
    assert 1 <= rounds <= SETTINGS[family][name].high
    model = fit(pipeline, stopped, data).model
    assert rounds == (model.n_estimators if family == "lightgbm" else model.steps[-1][1].n_iter_)


def test_an_early_stop_answers_the_last_rows_no_worse_than_most_rounds(
        pipeline: Pipeline, data: TrainingRows) -> None:
    first, last = data.split(HELD_OUT)
    stopped = stop_early(pipeline, recipe_of(data, "lightgbm"), data)
    most = recipe_of(data, "lightgbm", trees=200)
    assert mean_loss(fit(pipeline, stopped, first), last) <= mean_loss(fit(pipeline, most, first), last) + 1e-3


def test_an_early_stop_leaves_other_families_few_rows_and_what_the_pipeline_does_not_name(
        pipeline: Pipeline, data: TrainingRows, stream: Stream) -> None:
    few = data_of(pipeline, stream(pipeline, 0, 100))
    off = replace(pipeline, retraining=replace(pipeline.retraining, early_stop=()))
    for definition, rows, family in [(pipeline, data, "logistic"), (pipeline, few, "mlp"), (off, data, "mlp")]:
        recipe = recipe_of(rows, family)
        assert stop_early(definition, recipe, rows) == recipe


def test_an_early_stop_whose_last_rows_have_only_new_classes_keeps_the_recipe(
        make_pipeline: Make, stream: Stream) -> None:
    made = make_pipeline("multiclass")
    rows = [replace(e, label="zebra") if k >= 240 else e for k, e in enumerate(stream(made, 0, 300))]
    data = data_of(made, rows)
    assert stop_early(made, recipe_of(data, "mlp"), data) == recipe_of(data, "mlp")


@pytest.mark.parametrize("family", ["logistic", "forest"])
def test_a_search_ends_within_its_ranges_no_worse_than_it_began_and_the_same_each_time(
        pipeline: Pipeline, data: TrainingRows, family: str) -> None:
    began = recipe_of(data, family)
    found = search(pipeline, began, data, 2.5, ticking())
    assert found == search(pipeline, began, data, 2.5, ticking())
    assert set(found.parameters) == set(SETTINGS[family])
    assert all(s.low <= float(found.parameters[name]) <= s.high for name, s in SETTINGS[family].items())
    first, last = data.split(HELD_OUT)
    assert mean_loss(fit(pipeline, found, first), last) <= mean_loss(fit(pipeline, began, first), last)


def test_a_search_stops_at_its_seconds_or_its_trials_and_always_tries_where_it_began(
        pipeline: Pipeline, data: TrainingRows, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Recipe] = []

    def remembered(pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> object:
        tried.append(recipe)
        return fit(pipeline, recipe, data)

    monkeypatch.setattr("trainer.tuning.fit", remembered)
    for seconds, clock, trials in [(0.0, ticking(), 1), (3.5, ticking(), 4), (10.0, lambda: 0.0, TRIALS)]:
        tried.clear()
        search(pipeline, recipe_of(data, "logistic", penalty=5.0), data, seconds, clock)
        assert len(tried) == trials
        assert tried[0].parameters == {"penalty": 5.0}


def test_what_is_on_record_is_taken_and_nothing_is_searched(pipeline: Pipeline, data: TrainingRows) -> None:
    plans = [Plan(recipe=recipe_of(data, family), data=data, search=True) for family in ("logistic", "voting")]
    recorded = recipe_of(data, "logistic", penalty=0.5)
    decision = TrainingDecision(decision_id="d", incident_id=None, trigger="refresh", verdict="trained", reason="",
                                at=300, candidates=[Candidate(recipe=recorded, loss=None, rows=0)])

    def asked() -> float:
        raise AssertionError("a search began")

    found = Tuner(asked, [decision])(pipeline, "d", plans)
    assert [plan.recipe for plan in found] == [recorded, recipe_of(data, "voting")]
    with pytest.raises(AssertionError, match="a search began"):
        Tuner(asked, [decision])(pipeline, "another", plans)


def test_rows_that_cannot_be_fitted_are_left_to_the_fit(make_pipeline: Make, stream: Stream) -> None:
    made = make_pipeline()
    made = replace(made, retraining=replace(made.retraining, search_seconds=1.0))
    data = data_of(made, [replace(e, label="no") for e in stream(made, 0, 300)])
    plans = [Plan(recipe=recipe_of(data, family), data=data, search=True) for family in ("logistic", "mlp")]
    assert [plan.recipe for plan in Tuner()(made, "d", plans)] == [plan.recipe for plan in plans]
