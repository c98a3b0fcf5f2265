"""What is handed out, and from where: each fetched row, once in an assignment, from an explicit position on.

Rows fetched around a rebalance are never just dropped: they are dropped and their partitions rewound.
"""

# ruff: noqa: SLF001  # this is Faust's and aiokafka's inside: test_insides.py watches it

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from faust.types import TP

from stream_apps.transport.chunk import ChunkMessage, Row, chunk_message, split
from stream_apps.transport.commits import PrefixConsumer, wait_for_event
from stream_apps.transport.fetch import RowReader
from stream_apps.transport.group import GroupThread
from stream_apps.transport.prefix import Prefix
from stream_apps.transport.start import ExpiredHook, LostPositionError, start_offset

WAIT_SECONDS = 1.0  # a turn that has nothing to do looks around as often
CHECK_SECONDS = 1.0  # how often the membership is looked at


class Consumer(PrefixConsumer):
    """The consumer of a `StreamApp`. All methods belong to the application's event loop."""

    def __init__(self, transport: Any, *args: Any, **options: Any) -> None:
        """Let Faust create it, through the transport, which has the settings."""
        self._on_expired: ExpiredHook | None = transport.on_expired
        self.resume_at: dict[TP, int] = {}
        """Offsets from checkpoints: they win over the group's commit. Fill it in `app.on_rebalance_complete`."""
        self._ended: dict[TP, int] = {}  # read up to their ends, as of the last read, and the offset there
        self._assigned = asyncio.Event()  # Faust has asked for positions since the last revoke
        self._positioned = False  # ... and they are set: rows may flow
        self._dropped = False  # rows were fetched and dropped: positions are ahead of what was handed out
        self._began: dict[TP, int] = {}  # where reading of each partition started
        self._newest: dict[TP, ChunkMessage] = {}  # the last chunk handed out: it grows until an agent takes it
        self._reader: RowReader = transport.reader
        self._checked = 0.0
        super().__init__(transport, *args, **options)

    def _new_consumer_thread(self) -> GroupThread:
        self._group = GroupThread(self, loop=self.loop, beacon=self.beacon)
        return self._group

    # What the owner may know

    def caught_up(self, tp: TP) -> bool:
        """Whether every row up to the partition's end is complete (transaction markers at the end do not count)."""
        prefix = self._prefixes.get(tp)
        return tp in self._ended and (prefix is None or not prefix.pending)

    @property
    def positions(self) -> dict[TP, int]:
        """Offset after what is complete, in each partition that is read; transaction markers need nobody's work."""
        ends = {tp: prefix.end for tp, prefix in self._prefixes.items() if prefix.end is not None}
        ends |= {tp: end for tp, end in self._ended.items() if self.caught_up(tp)}
        return {tp: max(start, ends.get(tp, start)) for tp, start in self._began.items()}

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: stock warns of 'slow' partitions by acks and sensors that this transport does not feed."""

    # Revoke, stop, and positions

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain and tell the application, then forget the assignment."""
        self._assigned.clear()
        await super().on_partitions_revoked(revoked)
        self._let_go()
        await self._reader.assign({})
        self.resume_at.clear()

    def _let_go(self) -> None:
        super()._let_go()
        self._positioned = False
        self._ended.clear()
        self._began.clear()
        self._newest.clear()

    async def on_stop(self) -> None:
        """Drain and commit, then disconnect."""
        await super().on_stop()
        await self._reader.close()

    async def perform_seek(self) -> None:
        """Set positions; Faust asks for it when an assignment is complete and the application has loaded its state."""
        self._assigned.set()
        await self._set_positions()

    async def _set_positions(self) -> None:
        # Stock leaves partitions without a commit where they are: rows dropped around a rebalance are then skipped
        # for good. Here every position is explicit, and the reset policy of aiokafka is 'none': it decides nothing.
        self._let_go()
        epoch, self._dropped = self._epoch, False
        starts = await self._starts({tp: self.resume_at.get(tp) for tp in self.assignment()})
        if epoch == self._epoch and starts:
            self._began.update(starts)
            self._read_offset.update(starts)
            await self._reader.assign(starts)
        self._positioned = epoch == self._epoch and not self._dropped

    async def _starts(self, wanted: Mapping[TP, int | None]) -> dict[TP, int]:
        starts, epoch = {}, self._epoch
        bounds = await self._group.bounds(wanted) if wanted else {}
        for tp, known in bounds.items():
            resume = wanted[tp] if wanted[tp] is not None else known.committed
            starts[tp] = await start_offset(tp, resume, known, self._on_expired)
            if resume is not None and resume < known.first and epoch == self._epoch:
                self.resume_at[tp] = known.first  # told once: a rewind of this assignment need not tell it again
        return starts

    # Flow

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self._turn()
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.app.should_stop:
                raise

    async def _turn(self) -> None:
        if not self._assigned.is_set():
            await wait_for_event(self._assigned, WAIT_SECONDS)
        elif not self.flow_active:
            await wait_for_event(self.can_resume_flow, WAIT_SECONDS)
        elif not self._positioned:
            if self._prefixes:
                raise LostPositionError(self._prefixes)
            await self._set_positions()
        else:
            await self._fetch(self._epoch)

    async def _fetch(self, epoch: int) -> None:
        if (now := self.loop.time()) - self._checked >= CHECK_SECONDS:
            self._checked = now
            await self._group.check()
        fetched = await self._reader.read()
        for tp, rows in fetched.rows.items():
            self._ended.pop(tp, None)
            await self._hand_out(tp, rows, epoch)
        if self._flows(epoch):
            self._ended |= fetched.ended
            if fetched.astray:
                await self._skip_expired(fetched.astray, epoch)

    async def _hand_out(self, tp: TP, rows: Sequence[Row], epoch: int) -> None:
        for part in split(rows, self._read_offset[tp], self._chunking.rows):
            # A fetch that was under way may return before or after the seek of a rebalance.
            if not self._flows(epoch):
                self._drop()
                return
            # Load makes chunks larger: each costs much the same, and Faust stops fetching when many wait.
            if (waiting := self._newest.get(tp)) is not None and waiting.grow(part, self._chunking.rows):
                self._read_offset[tp] = waiting.end
                continue
            prefix = self._prefixes.setdefault(tp, Prefix())
            message = chunk_message(tp, part, self.app.consumer_generation_id, epoch, prefix)
            self._newest[tp] = message
            await self.wait_first(self.callback(message), self.suspend_flow.wait())
            if epoch == self._epoch:
                self._read_offset[tp] = message.end

    async def _skip_expired(self, tps: Iterable[TP], epoch: int) -> None:
        # Retention overtook a partition that is being read.
        starts = await self._starts({tp: self._read_offset[tp] for tp in tps if self._flows(epoch)})
        if starts and self._flows(epoch):
            self._began.update(starts)
            self._read_offset.update(starts)
            await self._reader.move(starts)

    def _flows(self, epoch: int) -> bool:
        return self.flow_active and self._positioned and epoch == self._epoch

    def _drop(self) -> None:
        self._dropped = True
        self._positioned = False
