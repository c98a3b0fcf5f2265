"""A stream of our own with a slice: five numbers and a segment, whose truth is known row by row.

All segments follow one rule, so a model that loses on one of them has learned it from labels that say otherwise. Half
of the labels are positive, so accuracy shows what a model has learned or lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from producers.rows import Block, Row, RowShape
from schemas.pipeline import Pipeline, parse_pipeline

SLICE = "segment"
SHARES = {"two": 0.02, "five": 0.05, "ten": 0.10, "rest": 0.83}  # percent, as words
NUMBERS = 5
STEEPNESS = 4.0
MOVED = 1.8  # standard deviations, of the first two numbers

DEFINITION = """
[pipeline]
name = "segments"
task = "binary"

[replay]
label = "label"

[[features]]
name = "segment"
type = "category"
"""
NUMBER = '\n[[features]]\nname = "x{}"\ntype = "number"\n'

Regime = Literal["first", "moved", "turned"]  # moved: other inputs, same rule; turned: same inputs, another rule
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rows as columns: numbers (rows, 5), segments and labels (rows,), True for the label 'yes'."""

    numbers: NDArray[np.float64]
    segments: NDArray[np.str_]
    labels: Flags

    @property
    def columns(self) -> Mapping[str, list[Any]]:
        """As a file would have them."""
        return {SLICE: self.segments.tolist(), **{f"x{k}": self.numbers[:, k].tolist() for k in range(NUMBERS)},
                "label": np.where(self.labels, "yes", "no").tolist()}


def pipeline(**tables: Mapping[str, Any]) -> Pipeline:
    """The stream's pipeline with defaults everywhere, and keys of its tables laid over them."""
    plain = parse_pipeline(DEFINITION + "".join(NUMBER.format(k) for k in range(NUMBERS)), "segments")
    return replace(plain, **{name: replace(getattr(plain, name), **keys) for name, keys in tables.items()})


def draw(rng: np.random.Generator, rows: int, regime: Regime = "first", segments: Sequence[str] = ()) -> Drawn:
    """Independent rows; `segments` names each row's, else they come by their shares."""
    names = list(SHARES)
    chosen = np.array(segments) if segments else rng.choice(names, rows, p=list(SHARES.values()))
    numbers = rng.normal(size=(rows, NUMBERS))
    if regime == "moved":
        numbers[:, :2] += MOVED
    score = numbers[:, 0] * (1 - numbers[:, 1]) + numbers[:, 2] / 2
    if regime == "turned":
        score = numbers[:, 3] - score / 2
    chance = 1 / (1 + np.exp(-STEEPNESS * score))
    return Drawn(numbers=numbers.round(4), segments=chosen, labels=rng.random(rows) < chance)


def evenly(rng: np.random.Generator, rows_a_segment: int, regime: Regime = "first") -> Drawn:
    """As many rows of each segment, whatever its share: a small one is judged as sharply as a large one."""
    return draw(rng, rows_a_segment * len(SHARES), regime, [name for name in SHARES for _ in range(rows_a_segment)])


def rows_of(definition: Pipeline, *parts: Drawn) -> list[Row]:
    """The parts one after another, as a file's rows."""
    columns = {name: list(chain.from_iterable(part.columns[name] for part in parts)) for name in parts[0].columns}
    labels = columns.pop("label")
    block = Block(first=0, features=columns, labels=labels, entities=[None] * len(labels))
    return list(RowShape(definition).rows(block))
