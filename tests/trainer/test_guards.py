"""What a candidate must not lose while it wins."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.messages import LabelledEvent
from schemas.pipeline import Gate, Pipeline
from trainer.guards import Golden, Pair, is_harm, objection
from trainer.history import History, Rows

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
Loss = Callable[[Rows], list[float]]


class Expert:
    """Loses what a rule says."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss

    def losses(self, rows: Rows, scale: float) -> list[float]:
        return [loss / scale for loss in self._loss(rows)]


def flat(loss: float) -> Any:
    return Expert(lambda rows: [loss] * len(rows))


def on_red(loss: float, elsewhere: float) -> Any:
    return Expert(lambda rows: [loss if colour == "r" else elsewhere for colour in rows.discrete[0]])


@pytest.fixture(scope="module")
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    made = make_pipeline()
    return replace(made, gate=replace(made.gate, slices=("colour", "x", "open")))


@pytest.fixture(scope="module")
def rows(pipeline: Pipeline, stream: Stream) -> Rows:
    return History(pipeline).rows_of(stream(pipeline, 0, 400))


def asked(pipeline: Pipeline, candidate: Any, rows: Rows, golden: Rows | None = None) -> Any:
    pair = Pair(champion=flat(0.5), candidate=candidate, scale=1.0)
    return objection(pipeline, pair, rows, None if golden is None else Golden(rows=golden, digest="f"))


def test_what_wins_on_the_whole_and_loses_on_one_category_is_objected_to(pipeline: Pipeline, rows: Rows) -> None:
    found = asked(pipeline, on_red(0.6, 0.1), rows)
    assert (found.golden, found.reason[:40]) == (False, "worse on a slice: colour = r (119 rows) l"[:40])
    assert asked(pipeline, on_red(0.519, 0.1), rows) is None
    assert asked(pipeline, on_red(0.1, 0.5), rows) is None


def test_numbers_are_cut_at_their_quartiles_and_null_is_a_part(pipeline: Pipeline, rows: Rows) -> None:
    top = np.quantile(rows.numbers[:, 0], 0.75)
    found = asked(pipeline, Expert(lambda part: [0.9 if x > top else 0.1 for x in part.numbers[:, 0]]), rows)
    assert "x in its quarter 4 (100 rows)" in found.reason
    found = asked(pipeline, Expert(lambda part: [0.9 if v is None else 0.1 for v in part.discrete[1]]), rows)
    assert "open = None" in found.reason


def test_without_declared_slices_only_the_golden_set_has_a_say(
        make_pipeline: Callable[..., Pipeline], rows: Rows) -> None:
    pipeline = make_pipeline()
    assert asked(pipeline, flat(0.9), rows) is None
    assert asked(pipeline, flat(0.9), rows, rows).golden
    assert asked(pipeline, flat(0.519), rows, rows) is None


def test_the_golden_set_is_asked_slice_by_slice_too(pipeline: Pipeline, rows: Rows) -> None:
    none = rows.part(0, 0)
    found = asked(pipeline, on_red(0.6, 0.1), none, rows)
    assert found.golden
    assert found.reason.startswith("worse on the golden set: colour = r")


def test_few_rows_and_chance_are_no_harm() -> None:
    gate = Gate()
    assert not is_harm(np.full(19, 1.0), gate)
    assert is_harm(np.full(20, 1.0), gate)
    noise = np.random.default_rng(0).normal(0.0, 0.5, (500, 100))
    objected = sum(is_harm(excess, gate) for excess in noise)
    assert objected / 500 <= 0.08
    assert sum(is_harm(excess + 0.3, gate) for excess in noise) == 500
