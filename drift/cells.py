"""Cells: where a value of a feature is counted.

A number has quantile cells, two cells out of the reference's range, and a missing cell (NaN and infinity are missing).
A category or boolean has one cell a known value, then `other`, then the missing cell. The missing cell is always last.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FeatureKind: TypeAlias = Literal["number", "category", "boolean"]
CategoryValue: TypeAlias = str | bool | None
NumberColumn: TypeAlias = NDArray[np.float64]
CategoryColumn: TypeAlias = Sequence[CategoryValue]

MAX_EDGES = 21
MAX_CATEGORIES = 100
MAX_LABEL = 200  # characters; a longer category counts as `other`, so that a profile stays bounded
BOOLEANS = ("false", "true")
OTHER = "other"  # what the cell of unknown categories is called
_QUANTILES = np.arange(1, 20) / 20


def number_edges(values: NumberColumn) -> tuple[float, ...]:
    """Distinct ascending edges: just below the minimum, the 19 inner 1/20 quantiles (inverted CDF), the maximum.

    A value lies in cell k when edge k-1 < value <= edge k. Without a finite value there are no edges and one cell.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return ()
    inner = np.quantile(finite, _QUANTILES, method="inverted_cdf")
    with np.errstate(over="ignore"):  # below the smallest double there is only infinity, which is no edge
        below = np.nextafter(finite.min(), -np.inf)
    edges = np.unique(np.concatenate(([below], inner, [finite.max()])))
    return tuple(edges[np.isfinite(edges)].tolist())


def known_categories(values: CategoryColumn) -> tuple[str, ...]:
    """The most frequent categories, at most 100, ties in alphabetical order."""
    frequency = Counter(value for value in values if isinstance(value, str) and len(value) <= MAX_LABEL)
    return tuple(sorted(frequency, key=lambda label: (-frequency[label], label))[:MAX_CATEGORIES])


def number_cells(edges: Sequence[float] | NumberColumn, values: NumberColumn) -> NDArray[np.int32]:
    """The cell of every value, shape (rows,)."""
    cells = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="left")
    return np.where(np.isfinite(values), cells, len(edges) + 1).astype(np.int32)


def category_table(kind: FeatureKind, categories: Sequence[str]) -> dict[CategoryValue, int]:
    """Cell by value; what is absent from it belongs to `other`, cell `len(categories)`."""
    known = (False, True) if kind == "boolean" else categories
    table: dict[CategoryValue, int] = {value: cell for cell, value in enumerate(known)}
    table[None] = len(categories) + 1
    return table


def category_cells(table: Mapping[CategoryValue, int], values: CategoryColumn) -> NDArray[np.int32]:
    """The cell of every value, shape (rows,)."""
    other = table[None] - 1
    return np.fromiter((table.get(value, other) for value in values), dtype=np.int32, count=len(values))


def number_midpoints(edges: Sequence[float]) -> NDArray[np.float64]:
    """Where the rows of each cell but missing are taken to lie, shape (edges + 1,); smallest edge 0, largest edge 1.

    Halfway between the cell's edges; rows out of range at the nearest edge, since how far out they are is not counted.
    """
    halves = np.asarray(edges, dtype=np.float64) / 2  # the whole range of doubles would overflow
    span = halves[-1] - halves[0] if edges else 0.0
    if span == 0:
        return np.zeros(len(edges) + 1)
    place = (halves - halves[0]) / span
    return np.concatenate((place[:1], (place[:-1] + place[1:]) / 2, place[-1:]))


def number_labels(edges: Sequence[float]) -> tuple[str, ...]:
    """One label a cell, missing last, for people: the outer two are out of the reference's range."""
    if not edges:
        return ("any value", "missing")
    inner = (
        f"= {b + 0.0:.6g}" if np.nextafter(a, np.inf) == b else f"above {a:.6g} to {b:.6g}" for a, b in pairwise(edges)
    )
    lowest = np.nextafter(edges[0], np.inf) + 0.0  # not -0
    return (f"below {lowest:.6g}", *inner, f"above {edges[-1]:.6g}", "missing")
