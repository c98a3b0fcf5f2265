"""The reference profile: what the trainer freezes of the reference rows, and all the monitor knows of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift.cells import (
    BOOLEANS,
    MAX_CATEGORIES,
    MAX_EDGES,
    OTHER,
    CategoryColumn,
    FeatureKind,
    NumberColumn,
    category_cells,
    category_table,
    known_categories,
    number_cells,
    number_edges,
    number_labels,
)
from drift.contrasts import scores
from drift.dependence import LENGTHS, design_effect
from drift.errors import ProfileError
from schemas.pipeline import LOSS

MIN_INDEPENDENT_ROWS = 20
MIN_CYCLES = 3


@dataclass(frozen=True, kw_only=True)
class FeatureColumn:
    """The reference rows of one feature, in time order: float64 values, or categories (None is missing)."""

    name: str
    kind: FeatureKind
    values: NumberColumn | CategoryColumn


class FeatureProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One feature: its cells, their reference counts, and the dependence between its rows.

    `design_effect` and `degrees` have an entry for each of `dependence.LENGTHS`, the last one is the reference itself.
    """

    name: str
    kind: FeatureKind
    edges: Annotated[tuple[float, ...], msgspec.Meta(max_length=MAX_EDGES)] = ()
    categories: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CATEGORIES)] = ()
    counts: tuple[int, ...]
    design_effect: tuple[float, ...]
    degrees: tuple[float, ...]
    uncalibrated: str | None = None  # why this feature is shown but must not alarm
    only_higher: bool = False  # alarms only where its values lie higher

    def __post_init__(self) -> None:
        """Raise ProfileError unless the parts fit each other."""
        known = len(self.edges) + 1 if self.kind == "number" else len(self.categories) + 1
        if len(self.counts) != known + 1 or min(self.counts) < 0 or sum(self.counts) == 0:
            msg = f"feature {self.name!r} needs {known + 1} reference counts, not all zero; it has {self.counts}"
            raise ProfileError(msg)
        if len(self.design_effect) != LENGTHS.size + 1 or len(self.degrees) != LENGTHS.size + 1:
            msg = f"feature {self.name!r} needs {LENGTHS.size + 1} design effects and degrees of freedom"
            raise ProfileError(msg)
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            msg = f"the edges of feature {self.name!r} must ascend: {self.edges}"
            raise ProfileError(msg)

    @property
    def rows(self) -> int:
        """Reference rows, m."""
        return sum(self.counts)

    @property
    def calibrated(self) -> bool:
        """Whether the reference says enough about this feature for it to alarm."""
        return self.uncalibrated is None

    @property
    def labels(self) -> tuple[str, ...]:
        """What to call each cell, missing last."""
        return number_labels(self.edges) if self.kind == "number" else (*self.categories, OTHER, "missing")


class ReferenceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Features in order; their cells lie one after another in one flat count vector of length `size`.

    `loss`: of rows that the model was not fitted on. It is not the scorer's to count, and so not among the features.
    """

    v: Literal[1] = 1
    features: tuple[FeatureProfile, ...]
    loss: FeatureProfile | None = None

    def __post_init__(self) -> None:
        """Raise ProfileError without features or with a name twice."""
        names = [feature.name for feature in self.features]
        if not names or len(set(names)) < len(names):
            msg = f"a profile needs at least one feature, each name once; it has {names}"
            raise ProfileError(msg)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each feature's cells begin, and `size` last: shape (features + 1,)."""
        return np.cumsum([0, *(len(feature.counts) for feature in self.features)], dtype=np.int64)

    @property
    def size(self) -> int:
        """Cells of all features."""
        return sum(len(feature.counts) for feature in self.features)

    @property
    def rows(self) -> int:
        """Reference rows, m: the most of any feature (predictions and losses may have fewer)."""
        return max(feature.rows for feature in self.features)

    def watched(self, predictions: Self | None = None) -> Self:
        """What is judged: the features, the `predictions` of one model (a profile of their own), then the loss."""
        said = () if predictions is None else predictions.features
        return type(self)(features=(*self.features, *said, *(() if self.loss is None else (self.loss,))))

    def encode(self) -> bytes:
        """JSON; equal profiles give equal bytes."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The profile of `encode`'s bytes, or ProfileError."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            msg = f"these {len(data)} bytes are no reference profile: {error}"
            raise ProfileError(msg) from error

    @property
    def digest(self) -> str:
        """SHA-256 of the encoded bytes, in hexadecimal."""
        return hashlib.sha256(self.encode()).hexdigest()


def build_profile(
    features: Sequence[FeatureColumn], *, longest_cycle: int | None = None, losses: NumberColumn | None = None
) -> ReferenceProfile:
    """Profile of the reference rows; `longest_cycle` (rows) is the slowest cycle the data is known to have.

    `losses`: in time order, of rows that the model which answered was not fitted on; none or empty: not watched.

    Raises ProfileError where there are no features, no rows, or a name twice.
    """
    loss = None
    if losses is not None and len(losses):
        loss = _feature(FeatureColumn(name=LOSS, kind="number", values=losses), longest_cycle)
        loss = msgspec.structs.replace(loss, only_higher=True)
    return ReferenceProfile(features=tuple(_feature(column, longest_cycle) for column in features), loss=loss)


def _feature(column: FeatureColumn, longest_cycle: int | None) -> FeatureProfile:
    rows = len(column.values)
    if rows == 0:
        msg = f"feature {column.name!r} has no reference rows"
        raise ProfileError(msg)
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    if column.kind == "number":
        values = np.asarray(column.values, dtype=np.float64)
        edges = number_edges(values)
        cells, size = number_cells(edges, values), len(edges) + 2
    else:
        labels = cast("CategoryColumn", column.values)
        categories = BOOLEANS if column.kind == "boolean" else known_categories(labels)
        cells = category_cells(category_table(column.kind, categories), labels)
        size = len(categories) + 2
    counts = np.bincount(cells, minlength=size)
    dependence = design_effect(_score_series(column.kind, cells, counts))
    return FeatureProfile(
        name=column.name,
        kind=column.kind,
        edges=edges,
        categories=categories,
        counts=tuple(counts.tolist()),
        design_effect=tuple(dependence.effect.tolist()),
        degrees=tuple(dependence.degrees.tolist()),
        uncalibrated=_uncalibrated(rows, float(dependence.effect[-1]), longest_cycle),
    )


def _score_series(kind: FeatureKind, cells: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The series whose dependence stands for the feature's: location, scale and missing, or every indicator."""
    indicators = np.eye(counts.size)
    table = np.vstack((scores(kind, counts), indicators[-1])) if kind == "number" else indicators[counts > 0]
    return table[:, cells]


def _uncalibrated(rows: int, effect: float, longest_cycle: int | None) -> str | None:
    if longest_cycle is not None and rows < MIN_CYCLES * longest_cycle:
        return (
            f"the reference of {rows} rows covers {rows / longest_cycle:.1f} cycles of {longest_cycle} rows, fewer "
            f"than {MIN_CYCLES}: use a longer or phase-matched reference"
        )
    if rows / effect < MIN_INDEPENDENT_ROWS:
        return (
            f"the reference of {rows} dependent rows is worth {rows / effect:.1f} independent ones, fewer than "
            f"{MIN_INDEPENDENT_ROWS}: use a longer or phase-matched reference"
        )
    return None
