"""Rows to chunks."""

from collections.abc import Sequence

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream_apps.transport.chunk import GROWN_BYTES, ChunkMessage, Row, chunk_message, split
from stream_apps.transport.prefix import Prefix

offsets = st.lists(st.integers(0, 200), unique=True, max_size=60).map(sorted)


def rows_at(offsets: list[int]) -> Sequence[Row]:
    return [Row(o, 1_700_000_000_000 + o, None, b"", ()) for o in offsets]


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
    assert message.take() == rows
    assert message.timestamp == (1_700_000_000_000 + 9) / 1000
    prefix.complete(message.slot)
    assert prefix.end == 10


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=8), size=st.integers(30, 90), taken=st.integers(0, 8))
def test_a_chunk_grows_up_to_its_size_until_it_is_taken_and_never_loses_a_row(
    sizes: list[int], size: int, taken: int
) -> None:
    prefix, read = Prefix(), 0
    messages: list[ChunkMessage] = []
    chunks: dict[int, Sequence[Row]] = {}
    for k, count in enumerate(sizes):
        rows = rows_at(list(range(read, read + count)))
        if messages and k == taken:
            chunks[len(messages) - 1] = messages[-1].take()
        if not (messages and messages[-1].grow(rows, size)):
            messages.append(chunk_message(TP("events", 1), rows, 4, 7, prefix))
        read += count
    for k, message in enumerate(messages):
        rows = chunks[k] if k in chunks else message.take()
        assert [row.offset for row in rows] == list(range(message.first, message.end))
        assert len(rows) <= size
    assert [message.first for message in messages] + [read] == [0] + [message.end for message in messages]
    assert not messages[-1].grow(rows_at([read]), size)
    heavy = Row(read, 0, None, b"x" * (GROWN_BYTES + 1), ())
    assert not chunk_message(TP("events", 1), rows_at([read - 1]), 4, 7, Prefix()).grow([heavy], size)
    for message in reversed(messages):
        assert prefix.end is None
        prefix.complete(message.slot)
    assert prefix.end == read


def test_the_rows_of_a_chunk_are_let_go_when_it_is_taken() -> None:
    message = chunk_message(TP("events", 1), rows_at([3, 4]), 4, 7, Prefix())
    assert [row.offset for row in message.take()] == [3, 4]
    assert not message.rows
    assert (message.first, message.end) == (3, 5)
