"""Losses of labelled rows, as the monitor reads them: for the window that was the next to close when they came."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from drift.losses import LossRow, loss_row
from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import LabelledEvent
from schemas.model_log import ModelLog
from schemas.pipeline import Task
from stream_apps.topics import read_each

BREATH = 64  # rows


class LabelledLosses:
    """Reads `labelled` piece by piece. `end`: offset after the last row that was read, or left out.

    `read_models` gives every announcement up to now.
    """

    def __init__(self, topic: str, task: Task, kafka: KafkaAccess,
                 read_models: Callable[[], Awaitable[ModelLog]]) -> None:
        self.end = 0
        self._topic = topic
        self._task: Task = task
        self._kafka = kafka
        self._read_models = read_models
        self._profile_epochs: dict[int, int] = {}  # by the epoch of the model
        self._unknown: set[int] = set()  # epochs that the log of models does not have

    async def rows(self, profile_epoch: int, until: int | None = None) -> AsyncGenerator[LossRow]:
        """The rows since the last read, up to `until` or to what has come by now.

        Rows of models that served under another profile are left out.
        """
        self._unknown.clear()  # a piece asks once for each: the log may have it by the next
        async with aclosing(read_each(self._topic, self._kafka, first=self.end, end=until)) as records:
            async for offset, value in records:
                event = decode(value or b"", LabelledEvent)
                row = loss_row(self._task, offset, event)
                self.end = offset + 1
                if event.model is not None and row is not None and (
                        await self._profile_epoch(event.model.epoch) == profile_epoch):
                    yield row
                if offset % BREATH == 0:
                    await asyncio.sleep(0)  # detectors take up to milliseconds a row, and the group waits for a word

    async def _profile_epoch(self, epoch: int) -> int | None:
        if epoch not in self._profile_epochs and epoch not in self._unknown:
            models = await self._read_models()
            self._profile_epochs = {a.epoch: a.profile_epoch for a in (*models.accepted, *models.canaries)}
            if epoch not in self._profile_epochs:
                self._unknown.add(epoch)
        return self._profile_epochs.get(epoch)
