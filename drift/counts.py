"""Counting rows into cells: the scoring path. Counts are integers and add over rows, chunks, partitions and windows."""

from collections.abc import Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from drift.cells import CategoryColumn, category_table
from drift.errors import CountsError
from drift.profile import ReferenceProfile

_BLOCK = 32_768  # values compared at a time: what fits the processor's cache

_FEW_ROWS = 32


class CellCounter:
    """Finds the flat cell of every value of a chunk of rows, and counts them.

    Numbers are the event's float64 values, as the reference's were: a model's float32 matrix would put values near an
    edge into another cell.
    """

    def __init__(self, profile: ReferenceProfile) -> None:
        """Compile the profile's edges and categories."""
        features = list(zip(profile.features, profile.offsets.tolist(), strict=False))
        numbers = [(feature, offset) for feature, offset in features if feature.kind == "number"]
        self.size = profile.size
        self._width = len(features)
        self._numbers = [index for index, (feature, _) in enumerate(features) if feature.kind == "number"]
        longest = max((len(feature.edges) for feature, _ in numbers), default=0)
        self._edges = np.full((longest, len(numbers)), np.inf)  # no value is above the padding
        for column, (feature, _) in enumerate(numbers):
            self._edges[: len(feature.edges), column] = feature.edges
        self._first = np.array([offset for _, offset in numbers], dtype=np.int32)
        self._missing = np.array([offset + len(feature.counts) - 1 for feature, offset in numbers], dtype=np.int32)
        self._categories = [
            (
                index,
                {value: offset + cell for value, cell in category_table(feature.kind, feature.categories).items()},
                offset + len(feature.categories),
            )
            for index, (feature, offset) in enumerate(features)
            if feature.kind != "number"
        ]

    def indices(self, numbers: NDArray[np.float64], categories: Sequence[CategoryColumn]) -> NDArray[np.int32]:
        """Flat cell of every row and feature, shape (rows, features).

        `numbers` is (rows, number features) float64; `categories` has one column of `rows` values for each category or
        boolean feature; both in the profile's order. Raises CountsError where the shapes differ from the profile's.
        """
        rows = len(numbers)
        self._check(numbers, categories)
        result = np.empty((rows, self._width), dtype=np.int32)
        if self._numbers:
            step = max(1, _BLOCK // len(self._numbers))
            for start in range(0, rows, step):
                block = slice(start, start + step)
                result[block, self._numbers] = self._number_block(numbers[block])
        for (index, table, other), column in zip(self._categories, categories, strict=True):
            result[:, index] = np.fromiter(map(table.get, column, repeat(other)), dtype=np.int32, count=rows)
        return result

    def count(self, indices: NDArray[np.int32]) -> NDArray[np.int64]:
        """Rows in every cell, shape (size,): of all or some rows of `indices`."""
        return np.bincount(indices.ravel(), minlength=self.size)

    def _number_block(self, numbers: NDArray[np.float64]) -> NDArray[np.int32]:
        if len(numbers) <= _FEW_ROWS:  # one comparison of everything costs less than a loop over the edges
            above = (numbers > self._edges[:, np.newaxis]).sum(axis=0, dtype=np.uint8)
        else:
            above = np.zeros(numbers.shape, dtype=np.uint8)
            for edge in self._edges:  # at most 21; comparing whole rows beats a binary search per feature
                above += numbers > edge
        return np.where(np.isfinite(numbers), self._first + above, self._missing)

    def _check(self, numbers: NDArray[np.float64], categories: Sequence[CategoryColumn]) -> None:
        expected = (len(numbers), len(self._numbers))
        if numbers.dtype != np.float64 or numbers.shape != expected:
            msg = f"numbers must be float64 of shape {expected}; they are {numbers.dtype} of shape {numbers.shape}"
            raise CountsError(msg)
        lengths = [len(column) for column in categories]
        if lengths != [len(numbers)] * len(self._categories):
            msg = (
                f"{len(self._categories)} category columns of {len(numbers)} rows are needed; their rows are {lengths}"
            )
            raise CountsError(msg)
