"""Event-time windows of one partition: which rows count, into which window, and when a window is final."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.messages import OpenWindow, PredictionCounts, ScoreState, WindowCounts

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class WindowSettings:
    """Size and allowed lateness of the windows, in milliseconds of event time."""

    size: int
    lateness: int


@dataclass(frozen=True, kw_only=True)
class CountedRows:
    """What a chunk brings, in offset order: scored rows and watermark records (`is_row` False).

    All arrays have one entry per record; `cells` (rows, features) holds flat cell indices of the scored rows only, as
    `CellLayout` numbers them. Where predictions are counted, their cells are its last column.
    """

    offsets: Ints
    ts: Ints
    record_ts: Ints
    is_row: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    cells: NDArray[np.int32]

    @classmethod
    def joined(cls, parts: Sequence["CountedRows"]) -> "CountedRows":
        """The rows of all parts, at least one, in their order."""
        if len(parts) == 1:
            return parts[0]  # a large chunk is counted alone: nothing is copied
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS})


_COLUMNS = [column.name for column in fields(CountedRows)]


class ModelCells(NamedTuple):
    """A model whose predictions are counted: its epoch, and how many cells its reference has."""

    epoch: int
    size: int


@dataclass(frozen=True, kw_only=True)
class CellLayout:
    """Under which reference profile rows are counted: its digest, the epoch that brought it, number of cells.

    Where predictions are counted (`models`), one cell follows that counts for nothing (what a model without a reference
    said), and then the cells of each model.
    """

    profile: str
    profile_epoch: int
    size: int
    models: tuple[ModelCells, ...] = ()


@dataclass
class _Window:
    layout: CellLayout
    rows: int
    counts: Ints
    predictions: dict[int, Ints]  # by epoch

    def add(self, cells: NDArray[np.int32], layout: CellLayout) -> None:
        """Count rows in. A model that said nothing of them leaves no trace: who else served says nothing of a row."""
        end = layout.size + 1 + sum(size for _, size in layout.models)
        counted = np.bincount(cells.ravel(), minlength=end)
        self.rows += len(cells)
        self.counts += counted[:layout.size]
        begin = layout.size + 1
        for epoch, size in layout.models:
            said, begin = counted[begin:begin + size], begin + size
            if said.any():
                self.predictions[epoch] = self.predictions.get(epoch, 0) + said


@dataclass(kw_only=True)
class PartitionWindows:
    """Watermark, open windows and late rows of one partition; restored exactly from its checkpoint."""

    partition: int
    settings: WindowSettings
    watermark: int | None = None
    late_rows: int = 0
    paused: bool = False
    _open: dict[tuple[int, int], _Window] = field(default_factory=dict)

    @classmethod
    def restore(cls, state: ScoreState, settings: WindowSettings) -> "PartitionWindows":
        """Windows as the checkpoint left them."""
        windows = cls(partition=state.partition, settings=settings, watermark=state.watermark,
                      late_rows=state.late_rows, paused=state.paused)
        for w in state.windows:
            layout = CellLayout(profile=w.profile, profile_epoch=w.profile_epoch, size=len(w.counts))
            windows._open[w.start, w.profile_epoch] = _Window(
                layout, w.rows, np.array(w.counts, dtype=np.int64),
                {said.epoch: np.array(said.counts, dtype=np.int64) for said in w.predictions})
        return windows

    def snapshot(self) -> list[OpenWindow]:
        """All open windows, oldest first."""
        return [_message(start, window) for (start, _), window in sorted(self._open.items(), key=lambda kv: kv[0])]

    def add(self, rows: CountedRows, layout: CellLayout) -> list[WindowCounts]:
        """Count a chunk in; returns the windows that became final, oldest first.

        Lateness is decided row by row: a row is late when its time lies behind the watermark of the rows before it.
        """
        if not len(rows.offsets):
            return []
        advance = np.minimum(rows.ts, rows.record_ts) - self.settings.lateness
        advance[rows.ends] = self._window_end(rows.ts[rows.ends])
        after = np.maximum.accumulate(advance)
        if self.watermark is not None:
            after = np.maximum(after, self.watermark)
        before = np.concatenate(([np.iinfo(np.int64).min if self.watermark is None else self.watermark], after[:-1]))
        on_time = (rows.ts >= before)[rows.is_row]
        self.late_rows += int((~on_time).sum())
        self._count(rows.ts[rows.is_row][on_time], rows.cells[on_time], layout)
        self.watermark = int(after[-1])
        self.paused = not rows.is_row[-1] and not rows.ends[-1]
        return self._take_final(rows.offsets, after)

    def _window_end(self, ts: Ints) -> Ints:
        return (ts // self.settings.size + 1) * self.settings.size

    def _count(self, ts: Ints, cells: NDArray[np.int32], layout: CellLayout) -> None:
        starts = ts // self.settings.size * self.settings.size
        for start in np.unique(starts).tolist():
            inside = cells[starts == start]
            key = (start, layout.profile_epoch)
            if key not in self._open:
                self._open[key] = _Window(layout, 0, np.zeros(layout.size, dtype=np.int64), {})
            self._open[key].add(inside, layout)

    def _take_final(self, offsets: Ints, after: Ints) -> list[WindowCounts]:
        """A window is final at the record whose watermark passed its end: that offset does not depend on the chunk."""
        final = []
        for start, epoch in sorted(self._open):
            end = start + self.settings.size
            if self.watermark is None or end > self.watermark:
                break
            covered = int(offsets[np.searchsorted(after, end)]) + 1
            window = _message(start, self._open.pop((start, epoch)))
            final.append(WindowCounts(partition=self.partition, covered=covered, window=window))
        return final


def _message(start: int, window: _Window) -> OpenWindow:
    return OpenWindow(start=start, profile=window.layout.profile, profile_epoch=window.layout.profile_epoch,
                      rows=window.rows, counts=window.counts.tolist(), predictions=[
                          PredictionCounts(epoch=epoch, counts=said.tolist())
                          for epoch, said in sorted(window.predictions.items())])
