"""One partition of `events` in the hands of a score worker: what is scored, what is delivered, what is checkpointed.

The order is the law: outputs delivered, then final windows, then the checkpoint, then `complete`; only then is an
offset committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.codec import encode
from schemas.messages import PartitionWatermark, ScoreState, WindowCounts
from schemas.model_log import NO_EPOCH
from schemas.topics import DEAD_LETTERS, PREDICTIONS, SCORE_STATE, WINDOW_COUNTS, Topic
from stream_apps.checkpoints import Standing
from stream_apps.scoring import ScoredChunk
from stream_apps.windows import CellLayout, CountedRows, PartitionWindows, WindowSettings

PAUSE_FACTOR = 20
COUNTED_ROWS = 500  # counted together, or at a checkpoint: a handful of rows takes as long as hundreds

Send = Callable[[Topic, int, Sequence[tuple[bytes | None, bytes]]], Awaitable[None]]
Complete = Callable[[Any], None]


@dataclass(kw_only=True)
class ScoredPartition:
    """State of one assigned partition. `covered`: end (exclusive) of what is scored; `epoch`: the models in charge;
    `term`: of its owner, one above its predecessor's.

    Rows before `predicted` had a prediction by `epoch` when the partition was assigned: they get it again.
    """

    partition: int
    windows: PartitionWindows
    send: Send
    complete: Complete
    covered: int
    term: int = 1
    predicted: int = 0
    epoch: int = NO_EPOCH
    idle: bool = False
    scoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    _delivering: asyncio.Lock = field(default_factory=asyncio.Lock)
    _outbox: list[ScoredChunk] = field(default_factory=list)
    _undelivered: list[tuple[Any, asyncio.Task[None]]] = field(default_factory=list)
    _uncounted: list[CountedRows] = field(default_factory=list)  # under one layout: a swap is a checkpoint
    _final: list[WindowCounts] = field(default_factory=list)
    _checkpointing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reported: tuple[int | None, bool] | None = None
    _caught_up_since: float | None = None

    @classmethod
    def restore(cls, partition: int, standing: Standing, settings: WindowSettings, send: Send,
                complete: Complete) -> "ScoredPartition":
        """The partition as its last checkpoint left it, or a fresh one."""
        state = standing.state
        if state is None:
            return cls(partition=partition, windows=PartitionWindows(partition=partition, settings=settings),
                       send=send, complete=complete, covered=standing.first)
        return cls(partition=partition, windows=PartitionWindows.restore(state, settings), send=send,
                   complete=complete, covered=state.covered, term=state.term + 1,
                   predicted=max(state.predicted, standing.predicted), epoch=state.epoch)

    @property
    def repeats(self) -> bool:
        """Whether the next row has been scored before, by `epoch`, and no checkpoint covers it."""
        return self.epoch != NO_EPOCH and self.covered < self.predicted

    @property
    def waiting(self) -> int:
        """Chunks that wait for a checkpoint."""
        return len(self._undelivered)

    def add(self, message: Any, end: int, chunk: ScoredChunk, layout: CellLayout) -> asyncio.Task[None]:
        """A chunk up to `end` (exclusive) is scored under `layout`; the task ends when its outputs are delivered."""
        self.covered = end
        self.idle = False
        self._layout = layout
        self._uncounted.append(chunk.rows)
        if sum(len(rows.offsets) for rows in self._uncounted) >= COUNTED_ROWS:
            self._count()
        self._outbox.append(chunk)
        delivery = asyncio.ensure_future(self._deliver())
        self._undelivered.append((message, delivery))
        return delivery

    def _count(self) -> None:
        if self._uncounted:
            rows, self._uncounted = self._uncounted, []
            self._final += self.windows.add(CountedRows.joined(rows), self._layout)

    async def _deliver(self) -> None:
        """Send everything that waits: small chunks share a delivery whenever they come faster than Kafka confirms.

        One after the other (the lock is fair): an entity's predictions keep the order of its events.
        """
        async with self._delivering:
            waiting, self._outbox = self._outbox, []
            try:
                await self.send(PREDICTIONS, self.partition, [pair for chunk in waiting for pair in chunk.predictions])
                await self.send(DEAD_LETTERS, 0, [pair for chunk in waiting for pair in chunk.dead_letters])
            except BaseException:
                self._outbox = waiting + self._outbox  # who waits for these must not believe that they are delivered
                raise

    async def checkpoint(self, epoch: int | None = None) -> None:
        """Make everything scored so far durable; with `epoch`, rows from here on belong to that model.

        A swap must hold `scoring`, so that no row is scored between the snapshot and the new epoch.
        """
        async with self._checkpointing:
            self._count()
            delivered, self._undelivered = self._undelivered, []
            final, self._final = self._final, []
            state = self._state(self.epoch if epoch is None else epoch)
            await asyncio.gather(*(delivery for _, delivery in delivered))
            await self._send_windows(final, state)
            await self.send(SCORE_STATE, self.partition, [(str(self.partition).encode(), encode(state))])
            self.epoch = state.epoch
            for message, _ in delivered:
                self.complete(message)

    def became_idle(self, now: float, idle_after: int, *, caught_up: bool) -> bool:
        """Whether the partition is now known to be idle: everything covered for `idle_after` ms; `now` in seconds.

        A source that only pauses has `PAUSE_FACTOR` times as long: one that died must not hold windows for ever.
        """
        if self.idle or not caught_up:
            self._caught_up_since = None
            return False
        if self._caught_up_since is None:
            self._caught_up_since = now
        patience = idle_after * (PAUSE_FACTOR if self.windows.paused else 1)
        self.idle = (now - self._caught_up_since) * 1_000 >= patience
        return self.idle

    def _state(self, epoch: int) -> ScoreState:
        return ScoreState(partition=self.partition, covered=self.covered, epoch=epoch,
                          watermark=self.windows.watermark, windows=self.windows.snapshot(),
                          late_rows=self.windows.late_rows, paused=self.windows.paused, predicted=self.predicted,
                          term=self.term)

    async def _send_windows(self, final: list[WindowCounts], state: ScoreState) -> None:
        """Final windows, then where the partition stands; the latter only when it says something new."""
        size = self.windows.settings.size
        standing = (None if state.watermark is None else state.watermark // size, self.idle)
        records = [(f"{c.partition}/{c.window.start}/{c.window.profile}".encode(), encode(c)) for c in final]
        if standing != self._reported:
            mark = PartitionWatermark(partition=self.partition, covered=state.covered, watermark=state.watermark,
                                      idle=self.idle)
            records.append((f"{self.partition}/watermark".encode(), encode(mark)))
        await self.send(WINDOW_COUNTS, 0, records)
        self._reported = standing
