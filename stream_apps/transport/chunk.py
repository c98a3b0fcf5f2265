"""From fetched rows to Faust messages."""

from collections.abc import Iterator, Sequence

import msgspec
from faust.types import TP, ConsumerMessage

from stream_apps.transport.prefix import Prefix, Slot

CREATE_TIME = 0  # Kafka's number for a timestamp by the producer; nobody asks
GROWN_BYTES = 4 << 20  # of values: what a chunk that waits may grow to


class Chunking(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are handed out and let go.

    Rows a chunk at most; longest drain, and longest commit after it, on revoke and stop (s); how long any commit may
    take before the process ends (s).
    """

    rows: int = 4000
    drain_seconds: float = 3.0
    commit_seconds: float = 60.0


class Row(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record; `timestamp` in epoch milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class ChunkMessage(ConsumerMessage):
    """One chunk: `first` and `offset` are the offsets of its first and last row. It has no Faust value: `take` it."""

    first: int
    epoch: int
    prefix: Prefix
    slot: Slot
    rows: list[Row]
    weight: int
    taken: bool

    @property
    def end(self) -> int:
        """Offset after the last row."""
        return self.offset + 1

    def take(self) -> Sequence[Row]:
        """The rows, in offset order, to be taken once. From here on the chunk is what it is; before, it grows."""
        self.taken = True
        rows, self.rows = self.rows, []  # the chunk waits for its checkpoint, its rows need not
        return rows

    def grow(self, rows: Sequence[Row], size: int) -> bool:
        """Add the rows that follow, if nobody has taken the chunk and it stays within `size` rows and `GROWN_BYTES`."""
        if self.taken or len(self.rows) + len(rows) > size:
            return False
        weight = (self.weight or _weight(self.rows)) + _weight(rows)
        if weight > GROWN_BYTES:
            return False
        self.rows += rows
        self.weight = weight
        self.offset = rows[-1].offset
        self.slot.end = self.end
        return True


def chunk_message(tp: TP, rows: Sequence[Row], generation: int, epoch: int, prefix: Prefix) -> ChunkMessage:
    """Wrap `rows` (at least one, of `tp`, in offset order) and open its slot in `prefix`."""
    last = rows[-1]
    message = ChunkMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        CREATE_TIME,
        None,
        None,
        None,
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )
    message.first = rows[0].offset
    message.epoch = epoch
    message.prefix = prefix
    message.slot = prefix.read(last.offset + 1)
    message.rows, message.weight, message.taken = list(rows), 0, False
    return message


def _weight(rows: Sequence[Row]) -> int:
    """Bytes of the values."""
    return sum(len(row.value or b"") for row in rows)


def split(rows: Sequence[Row], floor: int | None, size: int) -> Iterator[Sequence[Row]]:
    """Cut `rows` (in offset order) into chunks of at most `size`, without rows before offset `floor`."""
    start = 0
    if floor is not None:
        while start < len(rows) and rows[start].offset < floor:
            start += 1
    for first in range(start, len(rows), size):
        yield rows[first : first + size]
