"""The rule of windows, row by row, as the architecture states it: written for reading, not for speed.

Watermark = running maximum of min(ts, record timestamp) - lateness. A row behind it is late and enters no window. A
window is final at the record whose watermark passes its end. A watermark record counts nothing; one that ends a replay
advances to the end of the window that holds its time.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.messages import PredictionCounts
from schemas.pipeline import Windows


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """One record that takes part. `cells`: flat cell of every feature under the profile of `profile_epoch`; None: a
    watermark. `said`: epoch and number of the cell of its prediction, where its model has a reference of them."""

    offset: int
    ts: int
    record_ts: int
    ends: bool = False
    profile_epoch: int = -1
    cells: NDArray[np.int64] | None = None
    said: tuple[int, int] | None = None


@dataclass(kw_only=True)
class Window:
    """Rows of one window of one partition. `covered`: the offset (exclusive) at which it became final."""

    rows: list[NDArray[np.int64]] = field(default_factory=list)
    said: Counter[tuple[int, int]] = field(default_factory=Counter)
    covered: int | None = None

    def add(self, record: Counted) -> None:
        """Count a row in."""
        assert record.cells is not None  # noqa: S101 - it is no watermark
        self.rows.append(record.cells)
        if record.said is not None:
            self.said[record.said] += 1

    def counts(self, size: int) -> list[int]:
        """Rows in each of `size` cells."""
        counted: list[int] = np.bincount(np.concatenate(self.rows), minlength=size).tolist()
        return counted

    def predictions(self, sizes: Mapping[int, int]) -> list[PredictionCounts]:
        """What each model said, by epoch; `sizes`: how many cells it has."""
        return [PredictionCounts(epoch=epoch, counts=[self.said[epoch, cell] for cell in range(sizes[epoch])])
                for epoch in sorted({epoch for epoch, _ in self.said})]


@dataclass(kw_only=True)
class Recount:
    """Windows of one partition by (start, profile epoch), late rows, and the watermark after each counted record."""

    settings: Windows
    open: dict[tuple[int, int], Window] = field(default_factory=dict)
    final: dict[tuple[int, int], Window] = field(default_factory=dict)
    late_rows: int = 0
    paused: bool = False
    _watermark: int | None = None
    _history: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, records: Iterable[Counted], settings: Windows) -> "Recount":
        """Count the records of one partition, in offset order."""
        recount = cls(settings=settings)
        for record in records:
            recount._take(record)
        return recount

    def watermark_at(self, covered: int) -> int | None:
        """The watermark after the records before offset `covered`; None: there were none."""
        index = bisect_left(self._history, covered, key=lambda step: step[0])
        return self._history[index - 1][1] if index else None

    def _take(self, record: Counted) -> None:
        size, lateness = int(self.settings.size), int(self.settings.lateness)
        if record.cells is not None:
            if self._watermark is not None and record.ts < self._watermark:
                self.late_rows += 1
            else:
                key = (record.ts // size * size, record.profile_epoch)
                self.open.setdefault(key, Window()).add(record)
        reached = (record.ts // size + 1) * size if record.ends else min(record.ts, record.record_ts) - lateness
        self._watermark = reached if self._watermark is None else max(self._watermark, reached)
        self._history.append((record.offset, self._watermark))
        self.paused = record.cells is None and not record.ends
        for key in [key for key in self.open if key[0] + size <= self._watermark]:
            self.final[key] = self.open.pop(key)
            self.final[key].covered = record.offset + 1
