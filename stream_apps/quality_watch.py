"""Live quality, as the monitor says it: `labelled` in, a quality report out whenever enough rows are together.

The last report on Kafka is its state: a restarted monitor goes on after it.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog
from faust.types import TP

from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import LabelledEvent, QualityReport
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, QUALITY, topic_name
from stream_apps.delivery import Delivery, Record
from stream_apps.metrics.monitor import QualityMetrics
from stream_apps.quality import QualityLog
from stream_apps.topics import log_bounds, read_each
from stream_apps.transport import StreamApp

log = structlog.get_logger()


class QualityWatch:
    """Reads `labelled` and writes quality reports."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, app: StreamApp, delivery: Delivery,
                 metrics: QualityMetrics) -> None:
        self._pipeline = pipeline
        self._kafka = kafka
        self._app = app
        self._delivery = delivery
        self._labelled, self._quality = (topic_name(pipeline.name, topic) for topic in (LABELLED, QUALITY))
        self._folding = asyncio.Lock()  # the state belongs to one chunk, or to who starts it again
        self._log = QualityLog(pipeline)
        self.metrics = metrics

    async def assigned(self) -> None:
        """Go on after the last report, and remember the rows before it."""
        tp = TP(self._labelled, 0)
        if tp not in self._app.consumer.assignment():
            return
        async with self._folding:
            self._log = QualityLog(self._pipeline, await self._last_report())
            first, end = await log_bounds(self._labelled, self._kafka)
            self._app.consumer.resume_at[tp] = max(first, min(self._log.resume_at, end))
        log.info("live quality goes on", begin=self._log.begin)

    async def watch(self, stream: Any) -> None:
        """Fold chunk after chunk; a chunk is complete when the reports that it completes are delivered."""
        events: AsyncIterator[Any] = stream.noack().events()
        async for event in events:
            async with self._folding:
                await self._fold(event.message)

    async def _fold(self, chunk: Any) -> None:
        if not self._app.consumer.current(chunk):
            return
        for record in chunk.take():
            event = decode(record.value or b"", LabelledEvent)
            report = self._log.add(record.offset, event)
            if record.offset >= self._log.begin and event.model is not None and not event.implicit:
                self.metrics.delay.observe(max(0, event.labelled_ts - event.ts) / 1_000)
            if report is not None:
                await self._delivery.send([Record(self._quality, 0, str(report.first).encode(), encode(report))])
                self.metrics.show(report)
        self._app.consumer.complete(chunk)

    async def _last_report(self) -> QualityReport | None:
        first, end = await log_bounds(self._quality, self._kafka)
        if first == end:
            return None
        values = [value async for _, value in read_each(self._quality, self._kafka, first=end - 1)]
        return decode(values[-1] or b"", QualityReport)
