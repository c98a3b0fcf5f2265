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
from schemas.topics import SCORE_STATE, WINDOW_COUNTS, Topic
from stream_apps.windows import PartitionWindows, WindowSettings

Send = Callable[[Topic, int, Sequence[tuple[bytes | None, bytes]]], Awaitable[None]]
Complete = Callable[[Any], None]


@dataclass(kw_only=True)
class ScoredPartition:
    """State of one assigned partition. `covered`: end (exclusive) of what is scored; `epoch`: the model in charge."""

    partition: int
    windows: PartitionWindows
    send: Send
    complete: Complete
    covered: int = 0
    epoch: int = NO_EPOCH
    idle: bool = False
    scoring: asyncio.Lock = field(default_factory=asyncio.Lock)
    delivering: asyncio.Lock = field(default_factory=asyncio.Lock)
    _undelivered: list[tuple[Any, Awaitable[None]]] = field(default_factory=list)
    _final: list[WindowCounts] = field(default_factory=list)
    _checkpointing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reported: tuple[int | None, bool] | None = None

    @classmethod
    def restore(cls, partition: int, state: ScoreState | None, settings: WindowSettings, send: Send,
                complete: Complete) -> "ScoredPartition":
        """The partition as its last checkpoint left it, or a fresh one."""
        if state is None:
            return cls(partition=partition, windows=PartitionWindows(partition=partition, settings=settings),
                       send=send, complete=complete)
        return cls(partition=partition, windows=PartitionWindows.restore(state, settings), send=send,
                   complete=complete, covered=state.covered, epoch=state.epoch)

    @property
    def waiting(self) -> int:
        """Chunks that wait for a checkpoint."""
        return len(self._undelivered)

    def add(self, message: Any, end: int, final: list[WindowCounts], delivery: Awaitable[None]) -> None:
        """A chunk up to `end` (exclusive) is scored and counted; its outputs are on their way."""
        self.covered = end
        self.idle = False
        self._final += final
        self._undelivered.append((message, delivery))

    async def checkpoint(self, epoch: int | None = None) -> None:
        """Make everything scored so far durable; with `epoch`, rows from here on belong to that model.

        A swap must hold `scoring`, so that no row is scored between the snapshot and the new epoch.
        """
        async with self._checkpointing:
            delivered, self._undelivered = self._undelivered, []
            final, self._final = self._final, []
            state = self._state(self.epoch if epoch is None else epoch)
            await asyncio.gather(*(delivery for _, delivery in delivered))
            await self._send_windows(final, state)
            await self.send(SCORE_STATE, self.partition, [(str(self.partition).encode(), encode(state))])
            self.epoch = state.epoch
            for message, _ in delivered:
                self.complete(message)

    def _state(self, epoch: int) -> ScoreState:
        return ScoreState(partition=self.partition, covered=self.covered, epoch=epoch,
                          watermark=self.windows.watermark, windows=self.windows.snapshot(),
                          late_rows=self.windows.late_rows, paused=self.windows.paused)

    async def _send_windows(self, final: list[WindowCounts], state: ScoreState) -> None:
        """Final windows, then where the partition stands; the latter only when it says something new."""
        size = self.windows.settings.size
        standing = (None if state.watermark is None else state.watermark // size, self.idle)
        records = [(f"{c.partition}/{c.window.start}/{c.window.profile}".encode(), encode(c)) for c in final]
        if standing != self._reported:
            mark = PartitionWatermark(partition=self.partition, covered=state.covered, watermark=state.watermark,
                                      idle=self.idle)
            records.append((f"{self.partition}/watermark".encode(), encode(mark)))
        if records:
            await self.send(WINDOW_COUNTS, 0, records)
        self._reported = standing
