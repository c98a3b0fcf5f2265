"""What a candidate must not lose while it wins: no declared slice, and not the golden set. Pure.

The gate compares means on the rows that labels came for. A mean hides a part that got worse, and where the labels
themselves are wrong, it is wrong too: the golden set is the operator's, and no label that comes later changes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from schemas.messages import LabelledEvent
from schemas.pipeline import Gate, Pipeline
from trainer.candidates import FittedExpert
from trainer.history import History, Rows

MIN_PART_ROWS = 20
QUARTERS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, kw_only=True)
class Golden:
    """The trusted rows, and the SHA-256 of their file."""

    rows: Rows
    digest: str


def golden_of(pipeline: Pipeline, read: tuple[Sequence[LabelledEvent], str] | None) -> Golden | None:
    """The trusted rows of a file that was read, with its digest."""
    return None if read is None else Golden(rows=History(pipeline).rows_of(read[0]), digest=read[1])


@dataclass(frozen=True, kw_only=True)
class Objection:
    """Why a candidate must not serve. `golden`: only the golden set says so, which may be out of date: an operator
    decides."""

    reason: str
    golden: bool


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Candidate against champion; `scale` divides absolute errors."""

    champion: FittedExpert
    candidate: FittedExpert
    scale: float

    def excess(self, rows: Rows) -> NDArray[np.float64]:
        """How much more the candidate loses on each row."""
        return np.array(self.candidate.losses(rows, self.scale)) - np.array(self.champion.losses(rows, self.scale))


def objection(pipeline: Pipeline, pair: Pair, fresh: Rows, golden: Golden | None) -> Objection | None:
    """The worst that speaks against the candidate on `fresh` rows, which neither was fitted on, or on the golden
    set."""
    gate = pipeline.gate
    found = _worst(pair, fresh, list(_slices(pipeline, fresh)), gate)
    if found is not None:
        return Objection(reason=f"worse on a slice: {found}", golden=False)
    if golden is None:
        return None
    whole = ("all rows", np.ones(len(golden.rows), dtype=np.bool_))
    found = _worst(pair, golden.rows, [whole, *_slices(pipeline, golden.rows)], gate)
    return None if found is None else Objection(reason=f"worse on the golden set: {found}", golden=True)


def is_harm(excess: NDArray[np.float64], gate: Gate) -> bool:
    """Whether a part loses more than `max_slice_loss`, and more than chance explains at level alpha (one-sided)."""
    if len(excess) < MIN_PART_ROWS:
        return False
    error = float(excess.std(ddof=1)) / sqrt(len(excess))
    mean = float(excess.mean())
    return mean > gate.max_slice_loss and mean > NormalDist().inv_cdf(1 - gate.alpha) * error


def _worst(pair: Pair, rows: Rows, parts: Sequence[tuple[str, NDArray[np.bool_]]], gate: Gate) -> str | None:
    """The part with the largest harm, in words."""
    if not parts or not len(rows):
        return None
    excess = pair.excess(rows)
    harmed = [(float(excess[part].mean()), name, int(part.sum()))
              for name, part in parts if is_harm(excess[part], gate)]
    if not harmed:
        return None
    loss, name, count = max(harmed)
    return f"{name} ({count} rows) loses {loss:.4f}, {gate.max_slice_loss} are allowed"


def _slices(pipeline: Pipeline, rows: Rows) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each part of each declared feature: a category, a side, null, a quarter of the numbers."""
    numbers = [f.name for f in pipeline.features if f.type == "number"]
    others = [f.name for f in pipeline.features if f.type != "number"]
    for name in pipeline.gate.slices:
        if name in numbers:
            yield from _quarters(name, rows.numbers[:, numbers.index(name)])
        else:
            column = rows.discrete[others.index(name)]
            for value in dict.fromkeys(column):
                yield f"{name} = {value}", np.array([v == value for v in column], dtype=np.bool_)


def _quarters(name: str, column: NDArray[np.float64]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    missing = np.isnan(column)
    if missing.any():
        yield f"{name} = None", missing
    if missing.all():
        return
    part = np.searchsorted(np.quantile(column[~missing], QUARTERS), column)
    for quarter in range(len(QUARTERS) + 1):
        yield f"{name} in its quarter {quarter + 1}", (part == quarter) & ~missing
