"""A scenario: which stream, how long, from which seed, with which changes. Its rows and its truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from producers.errors import UnknownScenario
from producers.rows import Block, Row, RowShape, check_columns
from producers.scenarios import payments, pricing, readmission
from producers.scenarios.changes import Change, active, break_schema, fail_sensor, shift_labels
from producers.scenarios.stream import Stream
from schemas.pipeline import Pipeline

STREAMS = {"payments": payments.STREAM, "readmission": readmission.STREAM, "pricing": pricing.STREAM}
_BLOCK_ROWS = 8_192

Columns = dict[str, list[Any]]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`rows` rows of a stream; the same seed gives the same rows, and a longer one begins with them."""

    name: str
    rows: int
    seed: int
    changes: tuple[Change, ...]


class Truth(Struct, frozen=True, kw_only=True):
    """Where a stream changes: first row of each regime but the first, and what begins or ends there."""

    documented: list[int]
    kinds: list[list[str]]
    note: str
    n_rows: int


def scenario(name: str, rows: int | None = None, seed: int = 0, changes: tuple[Change, ...] | None = None) -> Scenario:
    """A scenario; what is not given is the demo's: its length, and a covariate and concept change at half of it.

    Raises:
        UnknownScenario: when there is no such stream, or a change lies outside the rows.
    """
    stream = stream_of(name)
    count = stream.rows if rows is None else rows
    if count < 1:
        raise UnknownScenario(f"scenario '{name}': {count} rows cannot be made; ask for 1 or more")
    if changes is None:
        changes = (Change(kind="covariate", row=count // 2), Change(kind="concept", row=count // 2))
    for change in changes:
        if change.row >= count:
            raise UnknownScenario(f"scenario '{name}': the {change.kind} change at row {change.row} lies behind "
                                  f"the last of {count} rows; give an earlier row or more rows")
    return Scenario(name=name, rows=count, seed=seed, changes=changes)


def stream_of(name: str) -> Stream:
    """The stream of that name.

    Raises:
        UnknownScenario: naming those there are.
    """
    if name not in STREAMS:
        raise UnknownScenario(f"there is no scenario '{name}'; there are {', '.join(STREAMS)}")
    return STREAMS[name]


def generate(plan: Scenario, pipeline: Pipeline, first: int = 0) -> Iterator[Row]:
    """Rows of a scenario from number `first` on, as the pipeline's [replay] shapes them.

    Raises:
        UnusableFile: when the pipeline is not one for this scenario.
    """
    stream, shape = stream_of(plan.name), RowShape(pipeline)
    names = [feature.name for feature in pipeline.features]
    for number, columns in blocks(plan):
        if number == 0:
            check_columns(list(columns), pipeline, f"scenario '{plan.name}'")
        block = Block(first=number, features={name: columns[name] for name in names}, labels=columns[stream.label],
                      entities=columns[stream.entity])
        if number + _BLOCK_ROWS > first:
            yield from (row for row in shape.rows(block) if row.number >= first)


def blocks(plan: Scenario) -> Iterator[tuple[int, Columns]]:
    """Number of the first row, and columns of plain values, block by block. Each block has its own random numbers, so
    a row depends on seed, number and changes alone."""
    stream = stream_of(plan.name)
    for first in range(0, plan.rows, _BLOCK_ROWS):
        random = np.random.default_rng([plan.seed, first])
        numbers = np.arange(first, first + _BLOCK_ROWS)
        columns = _columns(stream, plan.changes, random, numbers)
        yield first, {name: values[:plan.rows - first] for name, values in columns.items()}


def truth(plan: Scenario) -> Truth:
    """The scenario's change points."""
    points: dict[int, list[str]] = {}
    for change in plan.changes:
        points.setdefault(change.row, []).append(change.kind)
        if change.until is not None and change.until < plan.rows:
            points.setdefault(change.until, []).append(f"end of {change.kind}")
    documented = sorted(row for row in points if row > 0)
    return Truth(documented=documented, kinds=[points[row] for row in documented], n_rows=plan.rows,
                 note=f"scenario {plan.name}, seed {plan.seed}: independent rows, no drift but at the documented ones")


def _columns(stream: Stream, changes: tuple[Change, ...], random: np.random.Generator,
             numbers: NDArray[np.int64]) -> Columns:
    drawn = stream.draw(random, active(changes, "covariate", numbers), active(changes, "concept", numbers))
    order = shift_labels(random, drawn[stream.label], active(changes, "label-shift", numbers))
    drawn = {name: values if name == stream.entity else values[order] for name, values in drawn.items()}
    drawn[stream.sensor] = fail_sensor(random, drawn[stream.sensor], stream.stuck_at,
                                       active(changes, "sensor-fault", numbers))
    columns = {name: _plain(values) for name, values in drawn.items()}
    columns[stream.measured] = break_schema(random, columns[stream.measured], stream.unit,
                                            active(changes, "schema-break", numbers))
    return columns


def _plain(values: NDArray[Any]) -> list[Any]:
    """Python values, None for NaN."""
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN alone differs
    return values.tolist()
