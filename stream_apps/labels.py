"""The label service: labels in, stored and joined to predictions in PostgreSQL; the training log `labelled` out.

A label is acknowledged when its row is stored. Run: python -m stream_apps.labels
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import structlog

from kafka_access.definition import in_force
from schemas.codec import canonical_label, decode, encode
from schemas.messages import DeadLetterReason, Label, LabelledEvent
from schemas.pipeline import Pipeline, Task, load_pipeline
from schemas.topics import LABELLED, LABELS, topic_name
from stream_apps.delivery import Delivery, Record
from stream_apps.label_join import LabelJoin, Refusal
from stream_apps.label_states import StoredLabel
from stream_apps.lag import watch_kafka
from stream_apps.metrics.labels import LabelMetrics
from stream_apps.settings import ServiceSettings, explained, read_settings, require_database
from stream_apps.storage import REFUSED, Storage
from stream_apps.transport import StreamApp
from stream_apps.worker import WorkerSettings, die, make_app, run
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

WAITING_SECONDS = 1.0
FRESH_SECONDS = 5.0  # a label read so soon after it was written: its partition has been read about to its end
DETAIL = 200  # characters
BLOCK_SECONDS = 0.05  # a replay in lockstep holds until its block is out

log = structlog.get_logger()


class LabelAgent:
    """Stores labels, and emits each pair of prediction and label once."""

    def __init__(self, pipeline: Pipeline, app: StreamApp, join: LabelJoin, delivery: Delivery) -> None:
        self._task: Task = pipeline.task
        self._labels, self._labelled = (topic_name(pipeline.name, topic) for topic in (LABELS, LABELLED))
        self._app = app
        self._join = join
        self._delivery = delivery
        self._arrived = asyncio.Event()
        self._read_at: dict[int, float] = {}  # when the newest stored label of a partition was written, in epoch ms
        self._ripened = -WAITING_SECONDS  # when, on the monotonic clock
        self.metrics = LabelMetrics()

    async def store(self, stream: Any) -> None:
        """Store chunk after chunk."""
        events: AsyncIterator[Any] = stream.noack().events()
        async for event in events:
            partition, records = event.message.partition, event.message.take()
            await self._store_chunk(partition, records)
            self._read_at[partition] = records[-1].timestamp
            self._app.consumer.complete(event.message)
            self._arrived.set()

    async def _store_chunk(self, partition: int, records: Sequence[Any]) -> None:
        labels: list[StoredLabel] = []
        refusals: list[Refusal] = []
        origins: dict[int, Any] = {}
        for record in records:
            try:
                label = self._read(partition, record)
            except ValueError as error:
                refusals.append(self._refusal(partition, record, _reason(record, error), str(error)))
            else:
                origins[id(label)] = record
                labels.append(label)
        for label, error in await self._store(labels):
            refusals.append(self._refusal(partition, origins[id(label)], "storage", str(error)))
        await self._join.refuse(refusals)

    async def _store(self, labels: Sequence[StoredLabel]) -> list[tuple[StoredLabel, Exception]]:
        """Those that PostgreSQL refuses."""
        try:
            states = await self._join.store(labels)
        except REFUSED as error:
            if len(labels) == 1:
                return [(labels[0], error)]
            # Some label cannot be stored: each by itself, so that it costs only itself.
            return [refused for label in labels for refused in await self._store([label])]
        for state, count in states.items():
            self.metrics.states.labels(state).inc(count)
        return []

    def _refusal(self, partition: int, record: Any, reason: str, detail: str) -> Refusal:
        detail = detail.partition("\n")[0][:DETAIL]  # PostgreSQL's other lines quote the row
        self.metrics.refused.labels(reason).inc()
        log.error("label refused", partition=partition, offset=record.offset, reason=reason, detail=detail)
        return Refusal(topic=self._labels, partition=partition, offset=record.offset,
                       timestamp=record.timestamp, reason=f"{reason}: {detail}", value=record.value)

    def _read(self, partition: int, record: Any) -> StoredLabel:
        label = decode(record.value or b"", Label)
        block, size = _block(record.headers)
        return StoredLabel(
            entity=label.entity, event_id=label.event_id, ts=label.ts, label=canonical_label(self._task, label.label),
            revision=label.revision, labeller=label.labeller, partition=partition, block=block, block_size=size)

    async def emit(self) -> None:
        """Emit what is joined: on arrival, and every second for labels whose prediction comes later."""
        block_waits = False
        while True:
            try:
                if time.monotonic() - self._ripened >= WAITING_SECONDS:
                    await self._ripen()
                pairs, block_waits = await self._join.due()
                if pairs:
                    await self._send(pairs)
                    await self._join.mark_emitted(pairs)
                    continue
                if not block_waits:
                    await self._look()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await die(self._app, error)
                raise
            await self._pause(BLOCK_SECONDS if block_waits else WAITING_SECONDS)

    async def _ripen(self) -> None:
        silent, expired = await self._join.ripen(self._up_to_date())
        if not silent:  # else there may be more
            self._ripened = time.monotonic()
        self.metrics.implicit.inc(silent)
        self.metrics.expired.inc(expired)
        if expired:
            log.warning("labels expired: their events had no prediction within the label horizon", labels=expired)

    def _up_to_date(self) -> list[int]:
        """Partitions in which no label waits to be read: where some do, nobody was silent."""
        consumer, fresh = self._app.consumer, (time.time() - FRESH_SECONDS) * 1_000
        return [tp.partition for tp in consumer.assignment() if tp.topic == self._labels and (
            consumer.caught_up(tp) or self._read_at.get(tp.partition, 0.0) >= fresh)]

    async def _look(self) -> None:
        self.metrics.waiting.set(await self._join.waiting())
        coverage = await self._join.coverage()
        if coverage is not None:
            self.metrics.coverage.set(coverage)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return
        self._arrived.clear()

    async def _send(self, pairs: Sequence[LabelledEvent]) -> None:
        await self._delivery.send([Record(self._labelled, 0, p.event_id.encode(), encode(p)) for p in pairs])
        self.metrics.emitted.inc(len(pairs))


def _reason(record: Any, error: ValueError) -> DeadLetterReason:
    """As of an event that cannot be scored."""
    if not record.value:
        return "empty"
    unreadable = isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError)
    return "malformed" if unreadable else "invalid"


def _block(headers: Sequence[tuple[str, bytes | None]]) -> tuple[int | None, int | None]:
    for name, value in headers or ():
        if name == "block":
            number, size = map(int, (value or b"").split(b"/"))  # a header may have no value
            if number < 0 or size < 1:
                raise ValueError(f"header 'block' says {number}/{size}: a number from 0 on and a size from 1 on")
            return number, size
    return None, None


def build(settings: ServiceSettings, pipeline: Pipeline) -> tuple[StreamApp, Storage, LabelMetrics]:
    """Wire the service.

    Raises:
        MissingSetting: without DATABASE_URL.
    """
    url = require_database(settings)
    app = make_app(f"{pipeline.name}-labels", WorkerSettings(
        kafka=settings.kafka, group=f"{pipeline.name}.labels",
        instance_id=f"{pipeline.name}-labels-{settings.instance}", session_timeout=6.0))
    storage = Storage(url, pipeline.name)
    agent = LabelAgent(pipeline, app, LabelJoin(storage, pipeline.pipeline), Delivery(settings.kafka))
    app.agent(app.chunks(topic_name(pipeline.name, LABELS)), name="labels")(agent.store)
    agent.metrics.database.waiting.set_function(lambda: storage.waiting_seconds)
    watch_kafka(app, settings.kafka, pipeline.name, agent.metrics.reading)
    app.task(agent.emit)
    return app, storage, agent.metrics


@explained
def main() -> None:
    """Run the service of this process's environment."""
    settings = read_settings()
    require_database(settings)
    pipeline, _ = in_force(load_pipeline(settings.pipeline), settings.kafka)
    configure_logs(service="labels", pipeline=pipeline.name)
    app, storage, metrics = build(settings, pipeline)
    storage.require_schema()
    serve_metrics(settings.metrics, metrics, lambda: {"ok": storage.available})
    run(app)


if __name__ == "__main__":
    main()
