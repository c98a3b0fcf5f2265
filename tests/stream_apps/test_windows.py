"""Windows against the rule as it is stated, row by row, whatever the chunks."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import OpenWindow, PredictionCounts, ScoreState, WindowCounts
from stream_apps.windows import CellLayout, CountedRows, ModelCells, PartitionWindows, WindowSettings

SETTINGS = WindowSettings(size=10, lateness=3)
CHAMPION, CANARY, NEXT = ModelCells(0, 3), ModelCells(2, 2), ModelCells(5, 2)
LAYOUTS = (CellLayout(profile="p0", profile_epoch=0, size=4, models=(CHAMPION,)),
           CellLayout(profile="p0", profile_epoch=0, size=4, models=(CHAMPION, CANARY)),
           CellLayout(profile="p1", profile_epoch=5, size=6, models=(NEXT,)))
Cells = tuple[int, int]
Said = tuple[int, int] | None  # epoch and cell


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record: an event with two cells and a prediction, or a watermark.

    `said`: which of the cells that the layout adds; 0, or more than it has: nothing that is counted.
    """

    ts: int
    record_ts: int
    cells: Cells | None
    said: int = 0
    ends: bool = False

    def prediction(self, layout: CellLayout) -> int:
        return self.said if self.said <= sum(size for _, size in layout.models) else 0

    def counted(self, layout: CellLayout) -> Said:
        """Epoch and cell of the model whose cell it is."""
        cells = [(epoch, cell) for epoch, size in layout.models for cell in range(size)]
        place = self.prediction(layout)
        return cells[place - 1] if place else None


@dataclass(kw_only=True)
class Oracle:
    """Watermark = running maximum of min(ts, record ts) - lateness; a row behind it is late; a window is final when
    the watermark passes its end."""

    watermark: int | None = None
    late_rows: int = 0
    paused: bool = False
    windows: dict[tuple[int, int], list[tuple[Cells, Said]]] = field(default_factory=dict)
    final: list[tuple[int, int, int, list[tuple[Cells, Said]]]] = field(default_factory=list)

    def take(self, offset: int, row: Row, layout: CellLayout) -> None:
        if row.cells is not None:
            if self.watermark is not None and row.ts < self.watermark:
                self.late_rows += 1
            else:
                self.windows.setdefault((row.ts // 10 * 10, layout.profile_epoch), []).append((
                    row.cells, row.counted(layout)))
        reached = (row.ts // 10 + 1) * 10 if row.ends else min(row.ts, row.record_ts) - 3
        self.watermark = reached if self.watermark is None else max(self.watermark, reached)
        self.paused = row.cells is None and not row.ends
        for start, epoch in sorted(self.windows):
            if start + 10 <= self.watermark:
                self.final.append((start, epoch, offset + 1, self.windows.pop((start, epoch))))


times = st.integers(-30, 80)
rows = st.builds(Row, ts=times, record_ts=times | st.just(1_000),
                 cells=st.tuples(st.integers(0, 3), st.integers(0, 3)), said=st.integers(0, 5)) | st.builds(
    Row, ts=times, record_ts=st.just(1_000), cells=st.none(), ends=st.booleans())
streams = st.lists(rows, min_size=1, max_size=40)


def counted(stream: list[Row], first: int, layout: CellLayout = LAYOUTS[0]) -> CountedRows:
    cells = [(*row.cells, layout.size + row.prediction(layout)) for row in stream if row.cells is not None]
    return CountedRows(
        offsets=np.arange(first, first + len(stream)) * 2, ts=np.array([r.ts for r in stream], dtype=np.int64),
        record_ts=np.array([r.record_ts for r in stream], dtype=np.int64),
        is_row=np.array([r.cells is not None for r in stream], dtype=np.bool_),
        ends=np.array([r.ends for r in stream], dtype=np.bool_),
        cells=np.array(cells, dtype=np.int32).reshape(len(cells), 3))


def borders(data: st.DataObject, rows: int) -> list[int]:
    return sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=6))})


@given(streams, st.integers(0, 40), st.integers(0, 40), st.data())
def test_any_chunks_and_any_restart_give_what_the_rule_gives_row_by_row(
        stream: list[Row], trial: int, swap: int, data: st.DataObject) -> None:
    oracle, windows, final = Oracle(), PartitionWindows(partition=1, settings=SETTINGS), []
    edges = sorted({*borders(data, len(stream)), *(min(place, len(stream)) for place in (trial, swap))})
    for first, last in pairwise(edges):
        layout = LAYOUTS[2 if first >= swap else int(first >= trial)]
        for k in range(first, last):
            oracle.take(2 * k, stream[k], layout)
        final += windows.add(counted(stream[first:last], first, layout), layout)
        if data.draw(st.booleans()):
            windows = PartitionWindows.restore(checkpoint(windows), SETTINGS)
        assert facts(windows) == (oracle.watermark, oracle.late_rows, oracle.paused)
    assert [shown(w) for w in final] == [(s, e, c, len(r), *counts(r, e)) for s, e, c, r in oracle.final]
    assert [(w.start, w.profile_epoch, w.rows, w.counts, w.predictions) for w in windows.snapshot()] == [
        (start, epoch, len(cells), *counts(cells, epoch)) for (start, epoch), cells in sorted(oracle.windows.items())]


def facts(windows: PartitionWindows) -> tuple[Any, ...]:
    return windows.watermark, windows.late_rows, windows.paused


def shown(counts: WindowCounts) -> tuple[Any, ...]:
    w = counts.window
    assert (counts.partition, w.profile) == (1, f"p{int(w.profile_epoch == 5)}")
    return w.start, w.profile_epoch, counts.covered, w.rows, w.counts, w.predictions


def counts(rows: list[tuple[Cells, Said]], epoch: int) -> tuple[list[int], list[PredictionCounts]]:
    said = Counter(said for _, said in rows if said is not None)
    return np.bincount(np.ravel([cells for cells, _ in rows]), minlength=6 if epoch else 4).tolist(), [
        PredictionCounts(epoch=model.epoch, counts=[said[model.epoch, cell] for cell in range(model.size)])
        for model in (CHAMPION, CANARY, NEXT) if model.epoch in {epoch for epoch, _ in said}]


def checkpoint(windows: PartitionWindows) -> ScoreState:
    return ScoreState(partition=1, covered=0, epoch=0, watermark=windows.watermark, windows=windows.snapshot(),
                      late_rows=windows.late_rows, paused=windows.paused)


@given(streams)
def test_every_row_is_in_exactly_one_window_or_late(stream: list[Row]) -> None:
    windows = PartitionWindows(partition=1, settings=SETTINGS)
    final = windows.add(counted(stream, 0), LAYOUTS[0])
    counted_rows = sum(w.window.rows for w in final) + sum(w.rows for w in windows.snapshot())
    assert counted_rows + windows.late_rows == sum(row.cells is not None for row in stream)


def test_a_chunk_of_dead_letters_only_changes_nothing() -> None:
    windows = PartitionWindows(partition=1, settings=SETTINGS, watermark=5, paused=True)
    assert windows.add(counted([], 0), LAYOUTS[0]) == []
    assert facts(windows) == (5, 0, True)


def test_a_snapshot_is_not_changed_by_what_comes_after_it() -> None:
    windows = PartitionWindows(partition=1, settings=SETTINGS)
    row = Row(ts=1, record_ts=1, cells=(0, 1), said=3)
    windows.add(counted([row], 0), LAYOUTS[0])
    snapshot = windows.snapshot()
    windows.add(counted([row], 1), LAYOUTS[0])
    assert snapshot == [OpenWindow(start=0, profile="p0", profile_epoch=0, rows=1, counts=[1, 1, 0, 0],
                                   predictions=[PredictionCounts(epoch=0, counts=[0, 0, 1])])]
