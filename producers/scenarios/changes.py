"""The ways in which a stream can change, and at which rows."""

import re
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from producers.errors import UnknownScenario
from producers.scenarios.stream import Mask

ChangeKind = Literal["covariate", "concept", "label-shift", "sensor-fault", "schema-break"]
KINDS: tuple[ChangeKind, ...] = ("covariate", "concept", "label-shift", "sensor-fault", "schema-break")

SHIFTED_SHARE = 0.25
STUCK_SHARE = 0.5
BROKEN_SHARE = 0.25


class Change(Struct, frozen=True, kw_only=True):
    """A change that holds from `row` on, up to `until` (exclusive; None: to the end).

    covariate: other inputs, the same rule; concept: the same inputs, another rule; label-shift: a quarter of the rows
    are replaced by rows with a high label; sensor-fault: half of a sensor's readings are stuck, the others missing;
    schema-break: a quarter of a feature's values come as text with a unit, and do not fit.
    """

    kind: ChangeKind
    row: int
    until: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Change":
        """Read kind@row or kind@row-until.

        Raises:
            UnknownScenario: for anything else.
        """
        match = re.fullmatch(rf"({'|'.join(KINDS)})@(\d+)(?:-(\d+))?", text)
        if match is None or (match[3] and int(match[3]) <= int(match[2])):
            raise UnknownScenario(f"change '{text}' cannot be read; write kind@row or kind@row-until, with kind one of "
                                  f"{', '.join(KINDS)}")
        until = int(match[3]) if match[3] else None
        return next(cls(kind=kind, row=int(match[2]), until=until) for kind in KINDS if kind == match[1])


def active(changes: Iterable[Change], kind: ChangeKind, numbers: NDArray[np.int64]) -> Mask:
    """For which of the row numbers a kind of change holds."""
    mask = np.zeros(len(numbers), dtype=np.bool_)
    for change in changes:
        if change.kind == kind:
            mask |= (numbers >= change.row) & (change.until is None or numbers < change.until)
    return mask


def shift_labels(random: np.random.Generator, label: NDArray[Any], mask: Mask) -> NDArray[np.int64]:
    """Which row stands where: under `mask` a share of them gives way to rows of the same regime with a high label, so
    that the distribution of inputs given the label stays as it is."""
    count = len(label)
    order = np.arange(count)
    chosen = mask & (random.random(count) < SHIFTED_SHARE)
    pool = np.flatnonzero(mask & (label > np.median(label)))
    picks = random.random(count)
    if len(pool):
        order[chosen] = pool[(picks[chosen] * len(pool)).astype(np.int64)]
    return order


def fail_sensor(random: np.random.Generator, readings: NDArray[np.float64], stuck_at: float,
                mask: Mask) -> NDArray[np.float64]:
    """Readings of which, under `mask`, a share is stuck and the others are missing (NaN)."""
    stuck = random.random(len(readings)) < STUCK_SHARE
    return np.where(mask, np.where(stuck, stuck_at, np.nan), readings)


def break_schema(random: np.random.Generator, values: list[Any], unit: str, mask: Mask) -> list[Any]:
    """Values of which, under `mask`, a share comes as text with a unit."""
    broken = mask & (random.random(len(values)) < BROKEN_SHARE)
    return [f"{value} {unit}" if bad else value for value, bad in zip(values, broken, strict=True)]
