"""What is committed, and when.

1. Completion is the agent's own word, `complete`; Faust's acks are ignored: it acknowledges what it skips.
2. Committable is the end of the completed prefix of each partition.
3. Each assignment is an epoch; chunks of an earlier one are not `current`, and completing them commits nothing.
4. On revoke and stop: drain what the agents hold, commit, let go.
"""

# this is Faust's and aiokafka's inside: test_insides.py watches it

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream_apps.transport.chunk import Chunking, ChunkMessage
from stream_apps.transport.prefix import Prefix

DRAIN_POLL = 0.05  # seconds; a message that the agent let go without completing it tells nobody


class PrefixConsumer(driver.Consumer):
    """Faust's consumer with commits by completed prefix, for one assignment (an epoch) at a time."""

    def __init__(self, transport: Any, *args: Any, **options: Any) -> None:
        """Let Faust create it, through the transport, which has the settings."""
        self._chunking: Chunking = transport.chunking
        self.draining = False
        """True while a revoke or a stop waits for chunks: take a checkpoint and complete what it covers."""
        self._epoch = 0
        self._prefixes: dict[TP, Prefix] = {}
        self._sent: dict[TP, int] = {}
        self._completed = asyncio.Event()
        super().__init__(transport, *args, **options)

    def complete(self, message: ChunkMessage) -> None:
        """Say that every output of the chunk is delivered. Has no effect on chunks of an earlier assignment."""
        message.prefix.complete(message.slot)
        self.ack(message)

    def current(self, message: ChunkMessage) -> bool:
        """Whether the chunk belongs to this assignment: if not, touch no state with it."""
        return message.epoch == self._epoch

    def ack(self, message: Any) -> bool:
        """Faust's word, not a completion: it acks chunks it skips, even under `noack()`."""
        message.acked = message.taken = True
        self._unacked_messages.discard(message)
        self._completed.set()
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter([tp for tp in self._prefixes if topics is None or tp in topics or tp.topic in topics])

    def _new_offset(self, tp: TP) -> int | None:
        return self._prefixes[tp].end  # stock: commits past the gap that a failed event leaves

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return offset != self._sent.get(tp)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        epoch = self._epoch
        try:
            async with asyncio.timeout(self._chunking.commit_seconds):
                accepted = await super()._commit(offsets)
        except TimeoutError as error:
            # After a broker's restart aiokafka's coordinator was seen to hang for good while fetches went on: a worker
            # that reads without being a member of its group.
            await self.app.crash(error)
            return False
        if accepted and epoch == self._epoch:
            self._sent.update(offsets)
        return accepted

    async def wait_empty(self) -> None:
        """Drain what the agents hold, commit, let go. Stock may wait for ever, and collects garbage at every turn."""
        deadline = self.loop.time() + self._chunking.drain_seconds
        self.draining = True
        try:
            while self._unacked_messages and not self.should_stop and self.loop.time() < deadline:
                self._completed.clear()
                await wait_for_event(self._completed, DRAIN_POLL)
            with suppress(TimeoutError):  # what is not committed is read again
                async with asyncio.timeout(self._chunking.drain_seconds):
                    while await self.maybe_wait_for_commit_to_finish():
                        pass  # commit() does nothing while another runs, which may not know the last completions
                    await self.commit_and_end_transactions()
        finally:
            self.draining = False
            self._let_go()

    def _let_go(self) -> None:
        self._epoch += 1
        self._prefixes.clear()
        self._sent.clear()


async def wait_for_event(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, `seconds` at most."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
