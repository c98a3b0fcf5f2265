"""When a window closes: final counts of all partitions come together in event-time order.

A fold over `window-counts`.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.messages import Firing, PartitionCount, WindowCounts, WindowRecord


@dataclass(frozen=True, kw_only=True)
class ClosedWindow:
    """Counts of one window, summed over the partitions, under the newest profile that any of them counted with.

    `predictions`: of each model that answered some of the rows, by epoch; what each said in the cells of its own
    reference. `losses`: counts of the labelled rows that came while it was the next to close, where the profile has a
    loss; `firings`: of the detectors at these rows.
    """

    start: int
    profile: str
    profile_epoch: int
    rows: int
    counts: NDArray[np.int64]
    covered: dict[str, int]
    predictions: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    losses: NDArray[np.int64] | None = None
    firings: tuple[Firing, ...] = ()


@dataclass(kw_only=True)
class _Waiting:
    rows: int = 0
    counts: NDArray[np.int64]
    profile: str = ""
    covered: dict[str, int] = field(default_factory=dict)
    predictions: dict[int, NDArray[np.int64]] = field(default_factory=dict)


@dataclass(kw_only=True)
class WindowLedger:
    """Which windows wait for which partitions. The first record of a key counts; what comes after closing is late.

    A partition's windows become final in ascending order, so whatever is not above its newest has been here before.
    `partitions`: how many there were before the first record; a partition that is added is waited for from then on.
    """

    partitions: int
    size: int
    late_records: int = 0
    _watermarks: dict[int, int] = field(default_factory=dict)
    _idle: set[int] = field(default_factory=set)
    _waiting: dict[int, dict[int, _Waiting]] = field(default_factory=dict)
    _newest: dict[int, tuple[int, int]] = field(default_factory=dict)
    _closed_until: int | None = None
    _profile_epoch: int = -1

    def offer(self, record: WindowRecord) -> list[ClosedWindow]:
        """Fold one record in; returns the windows it closes, oldest first."""
        if isinstance(record, PartitionCount):
            self.partitions = max(self.partitions, record.partitions)
            return []
        if isinstance(record, WindowCounts):
            self._add(record)
            return []
        if record.watermark is not None:
            known = self._watermarks.get(record.partition, record.watermark)
            self._watermarks[record.partition] = max(known, record.watermark)
        (self._idle.add if record.idle else self._idle.discard)(record.partition)
        return self._close()

    @property
    def waiting(self) -> int:
        """Windows that some partition has counted and that are not closed."""
        return len(self._waiting)

    @property
    def delay(self) -> int:
        """Milliseconds of event time from the end of the oldest window that waits to the newest watermark; 0 where
        none waits."""
        if not self._waiting or not self._watermarks:
            return 0
        return max(0, max(self._watermarks.values()) - min(self._waiting) - self.size)

    def _add(self, record: WindowCounts) -> None:
        window = record.window
        key = (window.start, window.profile_epoch)
        newest = self._newest.get(record.partition)
        if newest is not None and key <= newest:
            return
        self._newest[record.partition] = key
        if self._closed_until is not None and window.start <= self._closed_until:
            self.late_records += 1
            return
        counts = np.array(window.counts, dtype=np.int64)
        by_epoch = self._waiting.setdefault(window.start, {})
        waiting = by_epoch.setdefault(window.profile_epoch, _Waiting(counts=np.zeros_like(counts)))
        waiting.counts += counts
        waiting.rows += window.rows
        waiting.profile = window.profile
        waiting.covered[str(record.partition)] = record.covered
        for said in window.predictions:
            waiting.predictions[said.epoch] = waiting.predictions.get(said.epoch, 0) + np.array(
                said.counts, dtype=np.int64)

    def _close(self) -> list[ClosedWindow]:
        busy = set(range(self.partitions)) - self._idle
        if not busy or not busy <= self._watermarks.keys():
            return []
        final = min(self._watermarks[p] for p in busy)
        closed = []
        for start in sorted(start for start in self._waiting if start + self.size <= final):
            by_epoch = self._waiting.pop(start)
            self._closed_until = start
            # A profile never comes back: windows that older models still counted say nothing about the newest one.
            self._profile_epoch = max(self._profile_epoch, *by_epoch)
            if self._profile_epoch in by_epoch:
                closed.append(_closed(start, self._profile_epoch, by_epoch[self._profile_epoch]))
        return closed


def _closed(start: int, epoch: int, waiting: _Waiting) -> ClosedWindow:
    return ClosedWindow(start=start, profile=waiting.profile, profile_epoch=epoch, rows=waiting.rows,
                        counts=waiting.counts, covered=waiting.covered, predictions=waiting.predictions)
