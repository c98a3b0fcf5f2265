"""Where reading starts."""

import asyncio

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream_apps.transport.start import Bounds, ExpiredOffsetsError, ShortLogError, start_offset

PARTITION = TP("events", 3)


def start(wanted: int | None, first: int, end: int, *, hook: bool = True) -> tuple[int, list[tuple[TP, int, int]]]:
    told: list[tuple[TP, int, int]] = []

    async def on_expired(tp: TP, wanted: int, first: int) -> None:
        told.append((tp, wanted, first))

    bounds = Bounds(committed=None, first=first, end=end)
    return asyncio.run(start_offset(PARTITION, wanted, bounds, on_expired if hook else None)), told


@given(first=st.integers(0, 100), rows=st.integers(0, 100), data=st.data())
def test_an_offset_that_the_log_still_holds_is_taken_and_nothing_is_told(
    first: int, rows: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.integers(first, first + rows))
    assert start(wanted, first, first + rows, hook=False) == (wanted, [])


def test_a_partition_without_a_promise_starts_at_its_first_row() -> None:
    assert start(None, 40, 90, hook=False) == (40, [])


def test_rows_that_retention_removed_are_told_before_reading_goes_on_at_the_first_row() -> None:
    assert start(10, 40, 90) == (40, [(PARTITION, 10, 40)])


def test_rows_that_retention_removed_end_the_process_when_nobody_records_them() -> None:
    with pytest.raises(ExpiredOffsetsError, match=r"events\[3\]: retention removed offsets 10 to 39"):
        start(10, 40, 90, hook=False)


def test_a_log_that_ends_before_the_resume_offset_ends_the_process() -> None:
    with pytest.raises(ShortLogError, match=r"ends at 90, before offset 91"):
        start(91, 40, 90)
