"""The record service: predictions, messages and the audit, copied to PostgreSQL.

Run: python -m stream_apps.record
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import psycopg
import structlog
from msgspec import Struct
from psycopg import sql

from kafka_access.definition import in_force
from schemas.audit_chain import AuditRow
from schemas.codec import decode
from schemas.messages import LabelValue, Model
from schemas.pipeline import Pipeline, load_pipeline
from schemas.topics import PREDICTIONS, TOPICS, topic_name
from stream_apps import label_sql
from stream_apps.audit import Auditor
from stream_apps.delivery import Delivery
from stream_apps.event_times import EventTimes, Stored
from stream_apps.kept_days import KeptDays, record_day
from stream_apps.lag import watch_kafka
from stream_apps.metrics.record import RecordMetrics
from stream_apps.settings import ServiceSettings, explained, read_settings, require_database
from stream_apps.storage import REFUSED, Storage
from stream_apps.transport import StreamApp
from stream_apps.worker import WorkerSettings, die, make_app, run
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

log = structlog.get_logger()
Connection = psycopg.AsyncConnection[tuple[object, ...]]

_COLUMNS = ("source", "source_day", "partition", "position", "event_id", "entity", "ts", "pipeline_digest",
            "model_version", "model_digest", "model_epoch", "prediction", "score", "probabilities", "features",
            "scored_at", "answered_epoch")
_STAGE = "stage"
NULL = msgspec.Raw(b"null")


class _Stored(Struct, frozen=True, kw_only=True, gc=False):
    """A prediction whose lists stay JSON: PostgreSQL reads them itself."""

    event_id: str
    entity: str
    ts: int
    source: str
    source_day: str
    pipeline_digest: str
    model: Model
    prediction: LabelValue
    score: float
    probabilities: msgspec.Raw = NULL
    features: msgspec.Raw
    scored_at: int
    answered_epoch: int | None = None


class Recorder:
    """Writes chunks; a chunk is complete when PostgreSQL has committed it."""

    def __init__(self, pipeline: Pipeline, storage: Storage, app: StreamApp, delivery: Delivery) -> None:
        self._prefix = f"{pipeline.name}."
        self._predictions = topic_name(pipeline.name, PREDICTIONS)
        self._audited = {topic_name(pipeline.name, topic) for topic in TOPICS if topic.audited}
        self._storage = storage
        self._app = app
        self.metrics = RecordMetrics()
        self.auditor = Auditor(pipeline.name, storage, delivery, self.metrics)
        self._event_times = EventTimes(storage.schema, pipeline.pipeline)
        self._days = KeptDays(storage, pipeline.retention)

    async def record(self, stream: Any) -> None:
        """Write chunk after chunk; one is decoded while PostgreSQL works on the one before."""
        events: AsyncIterator[Any] = stream.noack().events()
        before: asyncio.Task[None] | None = None
        async for event in events:
            storing = asyncio.ensure_future(self._store(event.message))
            if before is not None:
                await before
            before = storing
        if before is not None:
            await before

    async def _store(self, message: Any) -> None:
        began = time.perf_counter()
        try:
            records = message.take()
            if message.topic == self._predictions:
                await self._store_predictions(message, records)
            elif message.topic in self._audited:
                await self.auditor.store([AuditRow(message.topic, message.partition, r.offset, r.timestamp, r.key,
                                                   r.value) for r in records])
            else:
                await self._store_messages(message, records)
        except Exception as error:
            await die(self._app, error)  # no chunk may follow that would notice
            raise
        self.metrics.rows.labels(message.topic.removeprefix(self._prefix)).inc(len(records))
        self.metrics.seconds.observe(time.perf_counter() - began)
        self.metrics.written.set_to_current_time()
        self._app.consumer.complete(message)

    async def _store_predictions(self, message: Any, records: Sequence[Any]) -> None:
        try:
            await self._store_rows([_row(r) for r in records])
        except (*REFUSED, ValueError):
            # Some row cannot be stored: each by itself, so that it costs only itself.
            for record in records:
                await self._store_one(message, record)

    async def _store_one(self, message: Any, record: Any) -> None:
        try:
            await self._store_rows([_row(record)])
        except (*REFUSED, ValueError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]  # PostgreSQL's other lines quote the row
            log.error("prediction refused", partition=message.partition, offset=record.offset, reason=reason)
            self.metrics.refused.inc()
            await self._storage.run(lambda c: self._refuse(c, message, record, reason))

    async def _store_rows(self, rows: Sequence[tuple[Any, ...]]) -> None:
        days = {row[1] for row in rows}
        first = await self._days.open("predictions", days)
        if min(days, default=first) < first:
            rows = self._kept([row for row in rows if row[1] >= first], len(rows))
        try:
            await self._storage.run(lambda c: self._add(c, rows))
        except psycopg.errors.UniqueViolation:
            await self._storage.run(lambda c: self._merge(c, rows))  # a replay, or a source twice

    async def _add(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        await self._copy(connection, "predictions", rows)
        await self._event_times.note(connection, [_stored(row) for row in rows])

    async def _copy(self, connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        where = sql.Identifier(table) if table == _STAGE else sql.SQL("{}.{}").format(
            self._storage.schema, sql.Identifier(table))
        async with connection.cursor() as cursor, cursor.copy(
                sql.SQL("copy {} ({}) from stdin").format(where, _names(_COLUMNS))) as copy:
            for row in rows:
                await copy.write_row(row)

    async def _merge(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Upsert: COPY into a temporary table, then one statement; the highest epoch wins."""
        schema = self._storage.schema
        await connection.execute(sql.SQL(
            "create temporary table if not exists {} (like {}.predictions including defaults) "
            "on commit delete rows").format(
                sql.Identifier(_STAGE), schema))
        await self._copy(connection, _STAGE, rows)
        new = await connection.execute(sql.SQL(
            "select distinct on (source_day, source) entity, event_id, partition, ts from {stage} s where not exists "
            "(select from {schema}.predictions p where p.source_day = s.source_day and p.source = s.source)"
        ).format(schema=schema, stage=sql.Identifier(_STAGE)))
        rows_of_new: list[Any] = await new.fetchall()
        await self._event_times.note(connection, [Stored(*row) for row in rows_of_new])
        updates = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in _COLUMNS[2:])
        await connection.execute(sql.SQL(
            "insert into {schema}.predictions as kept ({columns}) "
            "select distinct on (source_day, source) {columns} from {stage} "
            "order by source_day, source, model_epoch desc "
            "on conflict (source_day, source) do update set {updates} "
            "where excluded.model_epoch > kept.model_epoch and not kept.erased"
        ).format(schema=schema, columns=_names(_COLUMNS), stage=sql.Identifier(_STAGE), updates=updates))

    async def _refuse(self, connection: Connection, message: Any, record: Any, reason: str) -> None:
        await connection.execute(
            sql.SQL(label_sql.REFUSE).format(schema=self._storage.schema),
            (message.topic, message.partition, record.offset, reason, record.value, record_day(record.timestamp)))

    async def _store_messages(self, message: Any, records: Sequence[Any]) -> None:
        rows = [(record_day(r.timestamp), message.topic, message.partition, r.offset, r.timestamp, r.key, r.value)
                for r in records]
        first = await self._days.open("messages", {row[0] for row in rows})
        kept = [row for row in rows if row[0] >= first]
        await self._storage.run(lambda c: self._insert(c, self._kept(kept, len(rows))))

    def _kept(self, rows: list[tuple[Any, ...]], came: int) -> list[tuple[Any, ...]]:
        """These rows; the others are of days that retention has passed."""
        self.metrics.expired.inc(came - len(rows))
        return rows

    async def _insert(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        async with connection.cursor() as cursor:
            await cursor.executemany(
                sql.SQL("insert into {}.messages (day, topic, partition, position, record_ts, key, value) "
                        "values (%s::date, %s, %s, %s, %s, %s, %s) on conflict do nothing"
                        ).format(self._storage.schema), rows)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _stored(row: tuple[Any, ...]) -> Stored:
    _, _, partition, _, event_id, entity, ts, *_ = row
    return Stored(entity, event_id, partition, ts)


def _row(record: Any) -> tuple[Any, ...]:
    p = decode(record.value or b"", _Stored)
    _, partition, position = p.source.rsplit("-", 2)
    probabilities = None if p.probabilities == NULL else str(p.probabilities, "utf-8")
    return (p.source, p.source_day, int(partition), int(position), p.event_id, p.entity, p.ts, p.pipeline_digest,
            p.model.version, p.model.digest, p.model.epoch, str(p.prediction), p.score, probabilities,
            str(p.features, "utf-8"), p.scored_at, p.answered_epoch)


def build(settings: ServiceSettings, pipeline: Pipeline) -> tuple[StreamApp, Storage, RecordMetrics]:
    """Wire the service.

    Raises:
        MissingSetting: without DATABASE_URL.
    """
    url = require_database(settings)
    app = make_app(f"{pipeline.name}-record", WorkerSettings(
        kafka=settings.kafka, group=f"{pipeline.name}.record",
        instance_id=f"{pipeline.name}-record-{settings.instance}", session_timeout=6.0))
    storage = Storage(url, pipeline.name)
    recorder = Recorder(pipeline, storage, app, Delivery(settings.kafka))
    topics = [topic_name(pipeline.name, topic) for topic in TOPICS if "record" in topic.consumers]
    app.agent(app.chunks(*topics), name="record")(recorder.record)
    recorder.metrics.database.waiting.set_function(lambda: storage.waiting_seconds)
    watch_kafka(app, settings.kafka, pipeline.name, recorder.metrics.reading)
    return app, storage, recorder.metrics


@explained
def main() -> None:
    """Run the service of this process's environment."""
    settings = read_settings()
    require_database(settings)
    pipeline, _ = in_force(load_pipeline(settings.pipeline), settings.kafka)
    configure_logs(service="record", pipeline=pipeline.name)
    app, storage, metrics = build(settings, pipeline)
    storage.require_schema()
    serve_metrics(settings.metrics, metrics, lambda: {"ok": storage.available})
    run(app)


if __name__ == "__main__":
    main()
