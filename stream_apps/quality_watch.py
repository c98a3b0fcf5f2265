"""Live quality, as the monitor says it: `labelled` in, a quality report out whenever enough rows are together.

The last report on Kafka is its state: a restarted monitor goes on after it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import structlog
from faust.types import TP
from prometheus_client import Counter, Gauge, Histogram

from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import LabelledEvent, Quality, QualityReport
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, QUALITY, topic_name
from stream_apps.delivery import Delivery, Record
from stream_apps.quality import QualityLog
from stream_apps.topics import log_bounds, read_each
from stream_apps.transport import StreamApp

VERSIONS = 5  # shown as metrics, the newest
FIGURES = ("accuracy", "log_loss", "brier", "auc", "no_change_accuracy", "kappa_temporal", "mae", "rmse",
           "no_change_mae")
HOUR, DAY = 3_600, 86_400

log = structlog.get_logger()


class QualityMetrics:
    """What an operator sees of live quality."""

    def __init__(self) -> None:
        self.reports = Counter("automl_stream_quality_reports_total", "Quality reports written")
        self.quality = Gauge("automl_stream_quality", "Live quality in the newest report that names the version",
                             ["version", "figure"])
        self.delay = Histogram("automl_stream_label_delay_seconds", "Event time from an event to its label",
                               buckets=(1, 10, 60, 600, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY))
        self._shown: OrderedDict[str, list[str]] = OrderedDict()

    def show(self, report: QualityReport) -> None:
        """The figures of each version, the newest versions only."""
        self.reports.inc()
        for quality in reversed([q for q in report.qualities if q.version is not None]):
            self._show(str(quality.version), quality)

    def _show(self, version: str, quality: Quality) -> None:
        for figure in self._shown.pop(version, []):
            self.quality.remove(version, figure)
        values = {name: getattr(quality, name) for name in FIGURES}
        self._shown[version] = [name for name, value in values.items() if value is not None]
        for name in self._shown[version]:
            self.quality.labels(version, name).set(values[name])
        if len(self._shown) > VERSIONS:
            oldest, names = self._shown.popitem(last=False)
            for name in names:
                self.quality.remove(oldest, name)


class QualityWatch:
    """Reads `labelled` and writes quality reports."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, app: StreamApp, delivery: Delivery) -> None:
        self._pipeline = pipeline
        self._kafka = kafka
        self._app = app
        self._delivery = delivery
        self._labelled, self._quality = (topic_name(pipeline.name, topic) for topic in (LABELLED, QUALITY))
        self._folding = asyncio.Lock()  # the state belongs to one chunk, or to who starts it again
        self._log = QualityLog(pipeline)
        self.metrics = QualityMetrics()

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
