"""Closing is a function of what each partition said, in whatever order the partitions' words come together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import (
    OpenWindow,
    PartitionCount,
    PartitionWatermark,
    PredictionCounts,
    WindowCounts,
    WindowRecord,
)
from stream_apps.closing import ClosedWindow, WindowLedger

SIZE, PARTITIONS = 10, 3
Word = WindowRecord


def counts(partition: int, start: int, epoch: int = 0, rows: int = 1, covered: int = 0) -> WindowCounts:
    """Partition 2 is scored by a second model as well."""
    models = (epoch, epoch + 1) if partition == 2 else (epoch,)
    window = OpenWindow(start=start, profile=f"p{epoch}", profile_epoch=epoch, rows=rows, counts=[rows, 2 * rows],
                        predictions=[PredictionCounts(epoch=model, counts=[0, rows]) for model in models])
    return WindowCounts(partition=partition, covered=covered, window=window)


def mark(partition: int, watermark: int | None, *, idle: bool = False) -> PartitionWatermark:
    return PartitionWatermark(partition=partition, covered=0, watermark=watermark, idle=idle)


def closed(words: list[Word]) -> tuple[list[tuple[object, ...]], WindowLedger]:
    ledger = WindowLedger(partitions=PARTITIONS, size=SIZE)
    return [shown(window) for word in words for window in ledger.offer(word)], ledger


def shown(w: ClosedWindow) -> tuple[object, ...]:
    return w.start, w.profile, w.profile_epoch, w.rows, w.counts.tolist(), w.covered, {
        epoch: said.tolist() for epoch, said in w.predictions.items()}


@st.composite
def speeches(draw: st.DrawFn) -> list[list[Word]]:
    """What each partition says: windows in ascending order, each before the watermark that made it final."""
    swap = draw(st.integers(0, 8))
    return [speech(draw, partition, swap) for partition in range(PARTITIONS)]


def speech(draw: st.DrawFn, partition: int, swap: int) -> list[Word]:
    words: list[Word] = []
    for k in range(draw(st.integers(0, 8))):
        # Around the swap a window may have rows of the old and of the new profile.
        epochs = [0] * (k <= swap) + [4] * (k >= swap)
        words += [counts(partition, k * SIZE, e, draw(st.integers(1, 9)), draw(st.integers(0, 99)))
                  for e in epochs if draw(st.booleans())]
        words.append(mark(partition, (k + 1) * SIZE + draw(st.integers(0, SIZE - 1))))
    return words


def interleaved(data: st.DataObject, parts: list[list[Word]]) -> list[Word]:
    order = data.draw(st.permutations([p for p, words in enumerate(parts) for _ in words]))
    waiting = [iter(words) for words in parts]
    return [next(waiting[p]) for p in order]


def expected(parts: list[list[Word]]) -> list[tuple[object, ...]]:
    """From the definition: what all are final for, summed, under the newest profile that any window so far had."""
    marks = [[w.watermark or 0 for w in words if isinstance(w, PartitionWatermark)] for words in parts]
    final = min((max(m) if m else 0) for m in marks)
    found, newest = [], -1
    said = [w for words in parts for w in words if isinstance(w, WindowCounts) and w.window.start + SIZE <= final]
    for start in sorted({w.window.start for w in said}):
        here = [w for w in said if w.window.start == start]
        newest = max(newest, *(w.window.profile_epoch for w in here))
        of_newest = [w for w in here if w.window.profile_epoch == newest]
        if of_newest:
            rows = sum(w.window.rows for w in of_newest)
            found.append((start, f"p{newest}", newest, rows, [rows, 2 * rows],
                          {str(w.partition): w.covered for w in of_newest}, said_by_each(of_newest, newest, rows)))
    return found


def said_by_each(windows: list[WindowCounts], epoch: int, rows: int) -> dict[int, list[int]]:
    second = sum(w.window.rows for w in windows if w.partition == 2)
    return {epoch: [0, rows]} | ({epoch + 1: [0, second]} if second else {})


@given(speeches(), st.data())
def test_any_interleaving_closes_the_same_windows_in_the_same_order(
        parts: list[list[Word]], data: st.DataObject) -> None:
    windows, ledger = closed(interleaved(data, parts))
    assert windows == expected(parts)
    assert ledger.late_records == 0


@given(speeches(), st.data())
def test_what_a_restarted_worker_says_again_changes_nothing(parts: list[list[Word]], data: st.DataObject) -> None:
    again: list[list[Word]] = []
    for words in parts:
        end = data.draw(st.integers(0, len(words)))
        start = data.draw(st.integers(0, end))
        again.append([*words[:end], *words[start:]])
    windows, ledger = closed(interleaved(data, again))
    assert windows == expected(parts)
    assert ledger.late_records == 0


@given(speeches(), st.data())
def test_counts_of_an_older_profile_never_come_after_those_of_a_newer_one(
        parts: list[list[Word]], data: st.DataObject) -> None:
    windows, _ = closed(interleaved(data, parts))
    epochs = [int(str(window[2])) for window in windows]
    assert epochs == sorted(epochs)


def test_a_window_waits_for_every_partition_that_is_not_idle() -> None:
    windows, _ = closed([counts(0, 0), mark(0, 10), mark(1, 30)])
    assert windows == []
    windows, _ = closed([counts(0, 0), mark(0, 10), mark(1, 30), mark(2, None, idle=True)])
    assert [window[0] for window in windows] == [0]


def test_a_partition_without_a_row_that_is_not_idle_holds_everything() -> None:
    assert closed([counts(0, 0), mark(0, 10), mark(1, 30), mark(2, None)])[0] == []


def test_from_the_word_on_that_there_are_more_partitions_a_window_waits_for_them() -> None:
    words = [counts(0, 0), *(mark(p, 10) for p in range(3)), PartitionCount(partitions=5, before=3),
             counts(0, 10), *(mark(p, 20) for p in range(3)), mark(3, None, idle=True)]
    windows, ledger = closed(words)
    assert [window[0] for window in windows] == [0]
    windows, ledger = closed([*words, counts(4, 10), mark(4, 20)])
    assert [(window[0], window[3]) for window in windows] == [(0, 1), (10, 2)]
    assert ledger.late_records == 0


@given(speeches(), st.data())
def test_the_same_word_again_or_an_older_one_changes_nothing(parts: list[list[Word]], data: st.DataObject) -> None:
    older: list[Word] = [PartitionCount(partitions=PARTITIONS, before=1), PartitionCount(partitions=2, before=1)]
    windows, ledger = closed(interleaved(data, [*parts, older]))
    assert windows == expected(parts)
    assert ledger.late_records == 0


def test_while_all_are_idle_nothing_closes_and_a_returning_partition_counts_again() -> None:
    words = [counts(0, 0), mark(0, 5), mark(0, 5, idle=True), mark(1, 30, idle=True), mark(2, None, idle=True)]
    assert closed(words)[0] == []
    windows, ledger = closed([*words, mark(0, 10)])
    assert [window[0] for window in windows] == [0]
    assert ledger.late_records == 0


def test_what_comes_after_its_window_closed_is_counted_once_and_never_amends() -> None:
    words = [counts(0, 0), mark(0, 20), mark(1, 20), mark(2, None, idle=True), counts(2, 0), counts(2, 0), mark(2, 20)]
    windows, ledger = closed(words)
    assert [(w[0], w[3]) for w in windows] == [(0, 1)]
    assert ledger.late_records == 1


def test_counts_add_without_changing_the_records() -> None:
    first = counts(0, 0, rows=2)
    windows, _ = closed([first, counts(1, 0, rows=3), mark(0, 10), mark(1, 10), mark(2, 10)])
    assert windows[0][3:5] == (5, [5, 10])
    assert first.window.counts == [2, 4]
    assert np.array(first.window.counts).sum() == 6
