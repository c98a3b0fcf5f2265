"""Windows against the rule as it is stated, row by row, whatever the chunks."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import OpenWindow, ScoreState, WindowCounts
from stream_apps.windows import CellLayout, CountedRows, PartitionWindows, WindowSettings

SETTINGS = WindowSettings(size=10, lateness=3)
LAYOUTS = (CellLayout(profile="p0", profile_epoch=0, size=4), CellLayout(profile="p1", profile_epoch=5, size=6))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record: an event with two cells, or a watermark."""

    ts: int
    record_ts: int
    cells: tuple[int, int] | None
    ends: bool = False


@dataclass(kw_only=True)
class Oracle:
    """Watermark = running maximum of min(ts, record ts) - lateness; a row behind it is late; a window is final when
    the watermark passes its end."""

    watermark: int | None = None
    late_rows: int = 0
    paused: bool = False
    windows: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    final: list[tuple[int, int, int, list[tuple[int, int]]]] = field(default_factory=list)

    def take(self, offset: int, row: Row, layout: CellLayout) -> None:
        if row.cells is not None:
            if self.watermark is not None and row.ts < self.watermark:
                self.late_rows += 1
            else:
                self.windows.setdefault((row.ts // 10 * 10, layout.profile_epoch), []).append(row.cells)
        reached = (row.ts // 10 + 1) * 10 if row.ends else min(row.ts, row.record_ts) - 3
        self.watermark = reached if self.watermark is None else max(self.watermark, reached)
        self.paused = row.cells is None and not row.ends
        for start, epoch in sorted(self.windows):
            if start + 10 <= self.watermark:
                self.final.append((start, epoch, offset + 1, self.windows.pop((start, epoch))))


times = st.integers(-30, 80)
rows = st.builds(Row, ts=times, record_ts=times | st.just(1_000),
                 cells=st.tuples(st.integers(0, 3), st.integers(0, 3))) | st.builds(
    Row, ts=times, record_ts=st.just(1_000), cells=st.none(), ends=st.booleans())
streams = st.lists(rows, min_size=1, max_size=40)


def counted(stream: list[Row], first: int) -> CountedRows:
    cells = [row.cells for row in stream if row.cells is not None]
    return CountedRows(
        offsets=np.arange(first, first + len(stream)) * 2, ts=np.array([r.ts for r in stream], dtype=np.int64),
        record_ts=np.array([r.record_ts for r in stream], dtype=np.int64),
        is_row=np.array([r.cells is not None for r in stream], dtype=np.bool_),
        ends=np.array([r.ends for r in stream], dtype=np.bool_),
        cells=np.array(cells, dtype=np.int32).reshape(len(cells), 2))


def borders(data: st.DataObject, rows: int) -> list[int]:
    return sorted({0, rows, *data.draw(st.lists(st.integers(0, rows), max_size=6))})


@given(streams, st.integers(0, 40), st.data())
def test_any_chunks_and_any_restart_give_what_the_rule_gives_row_by_row(
        stream: list[Row], swap: int, data: st.DataObject) -> None:
    oracle, windows, final = Oracle(), PartitionWindows(partition=1, settings=SETTINGS), []
    edges = sorted({*borders(data, len(stream)), min(swap, len(stream))})
    for first, last in pairwise(edges):
        layout = LAYOUTS[first >= swap]
        for k in range(first, last):
            oracle.take(2 * k, stream[k], layout)
        final += windows.add(counted(stream[first:last], first), layout)
        if data.draw(st.booleans()):
            windows = PartitionWindows.restore(checkpoint(windows), SETTINGS)
        assert facts(windows) == (oracle.watermark, oracle.late_rows, oracle.paused)
    assert [shown(w) for w in final] == [(s, e, c, len(r), counts(r, e)) for s, e, c, r in oracle.final]
    assert [(w.start, w.profile_epoch, w.rows, w.counts) for w in windows.snapshot()] == [
        (start, epoch, len(cells), counts(cells, epoch)) for (start, epoch), cells in sorted(oracle.windows.items())]


def facts(windows: PartitionWindows) -> tuple[Any, ...]:
    return windows.watermark, windows.late_rows, windows.paused


def shown(counts: WindowCounts) -> tuple[Any, ...]:
    w = counts.window
    assert (counts.partition, w.profile) == (1, f"p{int(w.profile_epoch == 5)}")
    return w.start, w.profile_epoch, counts.covered, w.rows, w.counts


def counts(cells: list[tuple[int, int]], epoch: int) -> list[int]:
    return np.bincount(np.ravel(cells), minlength=6 if epoch else 4).tolist()


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
    row = Row(ts=1, record_ts=1, cells=(0, 1))
    windows.add(counted([row], 0), LAYOUTS[0])
    snapshot = windows.snapshot()
    windows.add(counted([row], 1), LAYOUTS[0])
    assert snapshot == [OpenWindow(start=0, profile="p0", profile_epoch=0, rows=1, counts=[1, 1, 0, 0])]
