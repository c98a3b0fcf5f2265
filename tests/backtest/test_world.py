"""The world answers a session as Kafka and MLflow would: epochs, versions, refusals, and what training costs."""

import hashlib
from collections.abc import Callable, Generator
from itertools import count

import pytest
from msgspec.structs import replace

from automl_stream.backtest import world as worlds
from automl_stream.backtest.world import World
from producers.labelled import labelled_rows
from schemas.messages import LabelledEvent, Recipe
from schemas.pipeline import Pipeline
from tests.backtest.conftest import payments, rows_of
from trainer.candidates import FittedExpert, fit
from trainer.effects import Announced, Answer, Effect, Promote, Refused, RenewProfile, Withdraw
from trainer.history import History, TrainingRows

ROWS = 300


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return payments()


@pytest.fixture(scope="module")
def events(pipeline: Pipeline) -> list[LabelledEvent]:
    return list(labelled_rows(rows_of(pipeline, ROWS), pipeline, "f00d", lambda _row, _problem: None))


@pytest.fixture
def data(pipeline: Pipeline, events: list[LabelledEvent]) -> TrainingRows:
    return history_of(pipeline, events).dataset(0, ROWS - 1)


def history_of(pipeline: Pipeline, events: list[LabelledEvent]) -> History:
    history = History(pipeline)
    for offset, event in enumerate(events):
        history.append(offset, event)
    return history


@pytest.fixture
def world(pipeline: Pipeline, events: list[LabelledEvent]) -> World:
    """Open, with its first model; its clock ticks a second each time it is asked."""
    ticks = count()
    opened = World(pipeline, lambda: float(next(ticks)))
    opened.row = ROWS
    opened.open(history_of(pipeline, events), ROWS)
    return opened


@pytest.fixture
def promote(pipeline: Pipeline, data: TrainingRows) -> Callable[..., Promote]:
    def make(rows: int, replaces: int, decision_id: str = "d", share: float = 0.0) -> Promote:
        part = replace_rows(data, rows)
        expert: FittedExpert = fit(pipeline, "logistic", part)
        recipe = Recipe(family="logistic", window="all", dataset=part.dataset, seed=0)
        return Promote(decision_id=decision_id, reason="refresh", expert=expert, recipe=recipe, validation=part.rows,
                       metrics={}, answered=data.rows.part(rows, ROWS), replaces=replaces, registered=decision_id,
                       share=share)

    return make


def replace_rows(data: TrainingRows, rows: int) -> TrainingRows:
    return TrainingRows(dataset=replace(data.dataset, last=rows - 1, rows=rows), rows=data.rows.part(0, rows),
                        classes=data.classes)


def ask(world: World, *effects: Effect) -> list[Answer]:
    """What the world answers to these effects of a session."""
    answers: dict[int, Answer] = {}

    def steps() -> Generator[Effect, Answer, None]:
        for number, effect in enumerate(effects):
            answers[number] = yield effect

    world.drive(steps())
    return list(answers.values())


def test_a_promotion_takes_the_next_epoch_and_version_and_keeps_the_profile(
        world: World, promote: Callable[..., Promote]) -> None:
    first = world.serving()
    assert ask(world, promote(250, 0)) == [Announced(epoch=1, version="2")]
    second = world.serving()
    assert (second.model.epoch, second.model.version) == (1, "2")
    assert second.layout.profile_epoch == first.layout.profile_epoch
    assert [model.epoch for model in (*first.layout.models, *second.layout.models)] == [0, 1]
    assert [said.reference.features[0].rows for said in world.references.predictions.values()] == [60, 50]
    assert [(swap.row, swap.version) for swap in world.swaps] == [(ROWS, "1"), (ROWS, "2")]
    assert world.serving() is second


def test_whoever_asks_gets_the_file_of_each_model_as_it_is_put_in_charge(
        pipeline: Pipeline, events: list[LabelledEvent], promote: Callable[..., Promote]) -> None:
    heard: list[tuple[str, str]] = []
    world = World(pipeline, lambda: 0.0, on_swap=lambda swap, onnx: heard.append(
        (swap.version, hashlib.sha256(onnx).hexdigest())))
    world.open(history_of(pipeline, events), ROWS)
    first = world.serving().model
    ask(world, promote(250, 0))
    assert heard == [(model.version, model.digest) for model in (first, world.serving().model)]


def test_a_renewed_profile_is_announced_with_the_same_model_and_windows_find_their_reference(
        world: World, data: TrainingRows) -> None:
    first = world.serving()
    newer = data.rows.part(100, ROWS)
    renewal = RenewProfile(decision_id="s", rows=newer, answered=newer, replaces=0)
    assert ask(world, renewal) == [Announced(epoch=1, version="1")]
    renewed = world.serving()
    assert renewed.model.digest == first.model.digest
    assert renewed.layout.profile_epoch == 1
    assert [reference.since for reference in world.references.profiles.values()] == [data.rows.ts[0], data.rows.ts[100]]
    assert len(world.swaps) == 1


def test_going_back_to_a_model_that_has_served_is_a_rollback(world: World, promote: Callable[..., Promote]) -> None:
    ask(world, promote(200, 0, "a"), promote(250, 1, "b"))
    assert world.rollbacks == 0
    assert ask(world, promote(200, 2, "c")) == [Announced(epoch=3, version="4")]
    assert world.rollbacks == 1


def test_a_canary_serves_its_share_until_it_is_withdrawn_or_promoted(
        world: World, promote: Callable[..., Promote]) -> None:
    assert ask(world, promote(250, 0, "a", 0.25)) == [Announced(epoch=1, version="2")]
    tried = world.slots()
    assert tried.canary is not None
    assert (tried.champion.model.epoch, tried.canary.model.version, tried.share) == (0, "2", 0.25)
    ask(world, Withdraw(decision_id="b", reason="worse", replaces=1))
    assert (world.slots().canary, world.slots().epoch) == (None, 2)
    ask(world, promote(200, 2, "c", 0.5), promote(200, 0, "c"))
    assert (world.slots().canary, world.serving().model.version) == (None, "3")
    assert [swap.version for swap in world.swaps] == ["1", "3"]


def test_a_model_whose_file_answers_otherwise_is_refused_and_the_one_before_serves_on(
        world: World, promote: Callable[..., Promote], monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = worlds.export(promote(120, 0).expert)
    monkeypatch.setattr(worlds, "export", lambda _expert: stranger)
    (answer,) = ask(world, promote(250, 0))
    assert isinstance(answer, Refused)
    assert "differs from the fitted model" in answer.reason
    assert (world.serving().model.version, len(world.swaps)) == ("1", 1)


def test_every_fit_is_counted_and_exports_and_profiles_are_training_too(
        world: World, promote: Callable[..., Promote]) -> None:
    before = world.training_seconds
    assert (world.fits, world.fit_seconds) == (2, 2.0)  # one family is tried, then fitted on all rows
    ask(world, promote(250, 0))
    assert (world.training_seconds, world.fit_seconds) == (before + 1, 2.0)
