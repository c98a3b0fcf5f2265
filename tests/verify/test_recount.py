"""The recount follows the rule of windows to the letter."""

import numpy as np

from automl_stream.verify.recount import Counted, Recount

from .model import tiny_pipeline

WINDOWS = tiny_pipeline().windows  # 10 s, lateness 2 s
FAR = 1_000_000


def row(offset: int, ts: int, record_ts: int = FAR, epoch: int = 0) -> Counted:
    return Counted(offset=offset, ts=ts, record_ts=record_ts, profile_epoch=epoch, cells=np.array([ts // 1_000 % 3]))


def mark(offset: int, ts: int, *, ends: bool = False) -> Counted:
    return Counted(offset=offset, ts=ts, record_ts=FAR, ends=ends)


def test_a_window_is_final_at_the_record_whose_watermark_reaches_its_end() -> None:
    found = Recount.of([row(0, 1_000), row(1, 11_999), row(2, 12_000), row(3, 13_000)], WINDOWS)
    assert found.final.keys() == {(0, 0)}
    assert (found.final[0, 0].covered, len(found.final[0, 0].rows), found.final[0, 0].counts(3)) == (3, 1, [0, 1, 0])
    assert len(found.open[10_000, 0].rows) == 3


def test_a_row_behind_the_watermark_is_late_and_one_on_it_is_not() -> None:
    found = Recount.of([row(0, 5_000), row(1, 2_999), row(2, 3_000)], WINDOWS)
    assert (found.late_rows, len(found.open[0, 0].rows)) == (1, 2)


def test_a_row_ahead_of_its_record_moves_the_watermark_no_further_than_the_record() -> None:
    found = Recount.of([row(0, 500_000, record_ts=5_000), row(1, 4_000)], WINDOWS)
    assert (found.late_rows, found.watermark_at(2)) == (0, 3_000)


def test_a_watermark_counts_nothing_and_one_that_ends_closes_the_window_of_its_time() -> None:
    pausing = Recount.of([row(0, 1_000), mark(1, 9_000)], WINDOWS)
    assert (pausing.paused, pausing.watermark_at(2), pausing.final) == (True, 7_000, {})
    ended = Recount.of([row(0, 1_000), mark(1, 9_000, ends=True)], WINDOWS)
    assert (ended.paused, ended.watermark_at(2), ended.open) == (False, 10_000, {})


def test_rows_of_two_profiles_in_one_window_are_counted_apart() -> None:
    found = Recount.of([row(0, 1_000, epoch=0), row(1, 2_000, epoch=4)], WINDOWS)
    assert found.open.keys() == {(0, 0), (0, 4)}


def test_the_watermark_is_known_at_every_offset() -> None:
    found = Recount.of([row(3, 1_000), row(7, 9_000)], WINDOWS)
    assert [found.watermark_at(offset) for offset in (3, 4, 7, 8, 99)] == [None, -1_000, -1_000, 7_000, 7_000]
