"""Where reading of a partition starts: the checkpoint's offset, else the group's commit, else the log's first row."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from faust.types import TP

ExpiredHook = Callable[[TP, int, int], Awaitable[None]]
"""`await on_expired(tp, wanted, first)`: rows from `wanted` up to `first` (exclusive) were removed unread.

It ends before a row at or after `first` is handed out, and may be told the same range again after a crash."""


class TransportError(Exception):
    """Root of the transport's errors. None is retriable inside the process: it ends and is started again."""


class ExpiredOffsetsError(TransportError):
    """Retention removed rows that were not read, and the application has no `on_expired` hook to record them."""

    def __init__(self, tp: TP, wanted: int, first: int) -> None:
        """Name the missing range `wanted` up to `first` (exclusive)."""
        super().__init__(
            f"{tp.topic}[{tp.partition}]: retention removed offsets {wanted} to {first - 1} before they were read; "
            "give the application an on_expired hook that records them"
        )


class ShortLogError(TransportError):
    """A partition ends before the offset at which it must resume."""

    def __init__(self, tp: TP, wanted: int, end: int) -> None:
        """Name the offset `wanted` and the log's `end`."""
        super().__init__(
            f"{tp.topic}[{tp.partition}]: the log ends at {end}, before offset {wanted} at which reading must resume; "
            "was the topic recreated? Then reset the consumer group and the checkpoints"
        )


class LostPositionError(TransportError):
    """Rows were dropped after others of the same assignment were handed out.

    A rewind would hand out rows again that the application has counted. No known path leads here: only a revoke or a
    stop ends the flow, and both end the assignment.
    """

    def __init__(self, tps: Iterable[TP]) -> None:
        """Name the partitions that were being read."""
        names = ", ".join(sorted(f"{tp.topic}[{tp.partition}]" for tp in tps))
        super().__init__(f"{names}: rows were dropped in the middle of an assignment; start again to read them")


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What Kafka says of a partition: offsets of the group's commit (None: none), first row, and end (exclusive)."""

    committed: int | None
    first: int
    end: int


async def start_offset(tp: TP, wanted: int | None, bounds: Bounds, on_expired: ExpiredHook | None) -> int:
    """Offset of the first row to read.

    Args:
        tp: The partition.
        wanted: Offset to resume at; None where no promise was made yet.
        bounds: What the log still holds.
        on_expired: Told of rows that are gone, awaited before the offset is returned.

    Raises:
        ExpiredOffsetsError: Rows are gone and nobody is there to record it.
        ShortLogError: The log ends before `wanted`.
    """
    if wanted is None:
        return bounds.first
    if wanted > bounds.end:
        raise ShortLogError(tp, wanted, bounds.end)
    if wanted >= bounds.first:
        return wanted
    if on_expired is None:
        raise ExpiredOffsetsError(tp, wanted, bounds.first)
    await on_expired(tp, wanted, bounds.first)
    return bounds.first
