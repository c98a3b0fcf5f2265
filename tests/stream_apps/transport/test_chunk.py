"""Rows to chunks."""

from collections.abc import Sequence
from dataclasses import dataclass

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream_apps.transport.chunk import Row, chunk_message, split
from stream_apps.transport.prefix import Prefix

offsets = st.lists(st.integers(0, 200), unique=True, max_size=60).map(sorted)


@dataclass
class SimpleRow:
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def rows_at(offsets: list[int]) -> Sequence[Row]:
    return [
        SimpleRow(offset=o, timestamp=1_700_000_000_000 + o, timestamp_type=0, key=None, value=b"", headers=())
        for o in offsets
    ]


@given(offsets=offsets, floor=st.none() | st.integers(0, 200), size=st.integers(1, 70))
def test_chunks_hold_every_row_from_the_floor_on_once_and_in_order(
    offsets: list[int], floor: int | None, size: int
) -> None:
    chunks = list(split(rows_at(offsets), floor, size))
    assert [row.offset for chunk in chunks for row in chunk] == [o for o in offsets if o >= (floor or 0)]
    assert all(1 <= len(chunk) <= size for chunk in chunks)


def test_a_message_names_its_first_row_its_last_row_and_its_epoch() -> None:
    prefix = Prefix()
    rows = rows_at([5, 6, 9])
    message = chunk_message(TP("events", 1), rows, generation=4, epoch=7, prefix=prefix)
    assert (message.first, message.offset, message.end, message.epoch, message.generation_id) == (5, 9, 10, 7, 4)
    assert message.value is rows
    assert message.timestamp == (1_700_000_000_000 + 9) / 1000
    prefix.complete(message.slot)
    assert prefix.end == 10
