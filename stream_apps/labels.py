"""The label service: labels in, stored and joined to predictions in PostgreSQL; the training log `labelled` out.

A label is acknowledged when its row is stored. Run: python -m stream_apps.labels
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from schemas.codec import canonical_label, decode, encode
from schemas.messages import Label, LabelledEvent
from schemas.pipeline import Pipeline, Task, load_pipeline
from schemas.topics import LABELLED, LABELS, topic_name
from stream_apps.delivery import Delivery, Record
from stream_apps.label_join import LabelJoin, StoredLabel
from stream_apps.settings import MissingSetting, ServiceSettings, explained, read_settings
from stream_apps.storage import REFUSED, Storage
from stream_apps.transport import StreamApp
from stream_apps.worker import WorkerSettings, die, make_app, run
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

WAITING_SECONDS = 1.0
BLOCK_SECONDS = 0.05  # a replay in lockstep holds until its block is out

log = structlog.get_logger()


class LabelAgent:
    """Stores labels, and emits each pair of prediction and label once."""

    def __init__(self, pipeline: Pipeline, app: StreamApp, join: LabelJoin, delivery: Delivery) -> None:
        self._task: Task = pipeline.task
        self._labelled = topic_name(pipeline.name, LABELLED)
        self._app = app
        self._join = join
        self._delivery = delivery
        self._arrived = asyncio.Event()
        self.stored = Counter("automl_stream_labels_total", "Labels stored")
        self.refused = Counter("automl_stream_labels_refused_total", "Labels that do not fit the pipeline")
        self.emitted = Counter("automl_stream_labelled_total", "Labelled events written to the training log")
        self.waiting = Gauge("automl_stream_labels_waiting", "Labels without a prediction yet")

    async def store(self, stream: Any) -> None:
        """Store chunk after chunk."""
        events: AsyncIterator[Any] = stream.noack().events()
        async for event in events:
            labels = [label for record in event.message.take() if (label := self._read(record)) is not None]
            await self._store(labels)
            self._app.consumer.complete(event.message)
            self._arrived.set()

    async def _store(self, labels: Sequence[StoredLabel]) -> None:
        try:
            await self._join.store(labels)
        except REFUSED as error:
            if len(labels) == 1:
                self._refuse(str(error), event_id=labels[0].event_id)
                return
            # Some label cannot be stored: each by itself, so that it costs only itself.
            for label in labels:
                await self._store([label])
        else:
            self.stored.inc(len(labels))

    def _refuse(self, reason: str, **which: object) -> None:
        self.refused.inc()
        log.error("label refused", reason=reason, **which)

    def _read(self, record: Any) -> StoredLabel | None:
        try:
            label = decode(record.value or b"", Label)
            value = canonical_label(self._task, label.label)
            block, size = _block(record.headers)
        except ValueError as error:
            self._refuse(str(error), offset=record.offset)
            return None
        return StoredLabel(entity=label.entity, event_id=label.event_id, ts=label.ts, label=value,
                           revision=label.revision, block=block, block_size=size)

    async def emit(self) -> None:
        """Emit what is joined: on arrival, and every second for labels whose prediction comes later."""
        while True:
            try:
                pairs, block_waits = await self._join.due()
                if pairs:
                    await self._send(pairs)
                    await self._join.mark_emitted(pairs)
                    continue
                self.waiting.set(await self._join.waiting())
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await die(self._app, error)
                raise
            await self._pause(BLOCK_SECONDS if block_waits else WAITING_SECONDS)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return
        self._arrived.clear()

    async def _send(self, pairs: Sequence[LabelledEvent]) -> None:
        await self._delivery.send([Record(self._labelled, 0, p.event_id.encode(), encode(p)) for p in pairs])
        self.emitted.inc(len(pairs))


def _block(headers: Sequence[tuple[str, bytes | None]]) -> tuple[int | None, int | None]:
    for name, value in headers or ():
        if name == "block":
            number, size = (value or b"").split(b"/")  # a header may have no value
            return int(number), int(size)
    return None, None


def build(settings: ServiceSettings, pipeline: Pipeline) -> tuple[StreamApp, Storage]:
    """Wire the service.

    Raises:
        MissingSetting: without DATABASE_URL.
    """
    if settings.database_url is None:
        raise MissingSetting("DATABASE_URL is not set; it must hold the URL of a PostgreSQL database")
    app = make_app(f"{pipeline.name}-labels", WorkerSettings(
        bootstrap_servers=settings.bootstrap_servers, group=f"{pipeline.name}.labels",
        instance_id=f"{pipeline.name}-labels-{settings.instance}", session_timeout=6.0))
    storage = Storage(settings.database_url, pipeline.name)
    agent = LabelAgent(pipeline, app, LabelJoin(storage, pipeline.task), Delivery(settings.bootstrap_servers))
    app.agent(app.chunks(topic_name(pipeline.name, LABELS)), name="labels")(agent.store)
    app.task(agent.emit)
    return app, storage


@explained
def main() -> None:
    """Run the service of this process's environment."""
    settings = read_settings()
    pipeline = load_pipeline(settings.pipeline)
    configure_logs(service="labels", pipeline=pipeline.name)
    app, storage = build(settings, pipeline)
    serve_metrics(settings.metrics_port, lambda: {"ok": storage.available})
    run(app)


if __name__ == "__main__":
    main()
