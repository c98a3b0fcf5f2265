"""Shares of rows, which every statistic begins with. Counts have shape (..., cells): one feature or many at once.

Features of unlike numbers of cells fit one array when the shorter ones are filled up with cells that are empty on both
sides: no statistic here sees them.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.int64]
Array: TypeAlias = NDArray[np.float64]


def shares(counts: Counts) -> Array:
    """Share of the rows in each cell, shape (..., cells); 0 everywhere without rows."""
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)


def comparable(reference: Counts, window: Counts) -> NDArray[np.bool_]:
    """Whether there are rows on both sides, shape (...)."""
    return (reference.sum(axis=-1) > 0) & (window.sum(axis=-1) > 0)
