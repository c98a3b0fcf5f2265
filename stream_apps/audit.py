"""The audit as the recorder writes it: rows once and in offset order, and where the chain stands, to Kafka."""

from collections.abc import Sequence
from typing import Any

import psycopg
import structlog
from psycopg import sql

from schemas.audit_chain import START, AuditRow, link
from schemas.codec import encode
from schemas.messages import AuditHead
from schemas.topics import AUDIT_HEADS, topic_name
from stream_apps.delivery import Delivery, Record
from stream_apps.metrics.record import RecordMetrics
from stream_apps.storage import Storage

log = structlog.get_logger()
Connection = psycopg.AsyncConnection[tuple[Any, ...]]

_LOCK = "select pg_advisory_xact_lock(hashtext(%s))"
_LAST = """
select position, chain from {schema}.audit where topic = %s and partition = %s order by position desc limit 1
"""
_KEPT = """
select topic, partition, position, record_ts, key, value, chain from {schema}.audit
where topic = %s and partition = %s and position between %s and %s
"""
_HEADED = "select position from {schema}.audit_headed where topic = %s and partition = %s"
_MARK = """
insert into {schema}.audit_headed as kept values (%s, %s, %s)
on conflict (topic, partition) do update set position = greatest(kept.position, excluded.position)
"""
_ADD = "insert into {schema}.audit (topic, partition, position, record_ts, key, value, chain) values "
_ADD += "(%s, %s, %s, %s, %s, %s, %s)"


class Auditor:
    """Adds to the audit. What is there already must be what the log says; it is never written again."""

    def __init__(self, pipeline: str, storage: Storage, delivery: Delivery, metrics: RecordMetrics) -> None:
        self._pipeline = pipeline
        self._heads = topic_name(pipeline, AUDIT_HEADS)
        self._storage = storage
        self._delivery = delivery
        self._metrics = metrics

    async def store(self, rows: Sequence[AuditRow]) -> None:
        """Store records of one topic's partition, in offset order; returns when Kafka has confirmed where the chain
        stands at the last of them, unless it had before."""

        async def work(connection: Connection) -> AuditHead | None:
            return await self._add(connection, rows)

        head = await self._storage.run(work)
        if head is not None:
            key = f"{head.topic}/{head.partition}".encode()
            await self._delivery.send([Record(self._heads, 0, key, encode(head))])
            await self._storage.run(lambda c: self._mark(c, head))

    async def _mark(self, connection: Connection, head: AuditHead) -> None:
        await connection.execute(self._sql(_MARK), [head.topic, head.partition, head.position])

    async def _add(self, connection: Connection, rows: Sequence[AuditRow]) -> AuditHead | None:
        topic, partition = rows[0][:2]
        # A recorder that was thought dead may still be writing: one at a time.
        await connection.execute(_LOCK, [f"{self._pipeline} audit {topic}/{partition}"])
        last = await (await connection.execute(self._sql(_LAST), [topic, partition])).fetchone()
        position, chain = last or (-1, START)
        new = [row for row in rows if row.position > position]
        if len(new) < len(rows):
            kept = await self._kept(connection, rows[:len(rows) - len(new)])
            chain = chain if new else kept.get(rows[-1], b"")
        chained: list[tuple[Any, ...]] = []
        for row in new:
            chain = link(chain, row)
            chained.append((*row, chain))
        async with connection.cursor() as cursor:
            await cursor.executemany(self._sql(_ADD), chained)
        headed = await (await connection.execute(self._sql(_HEADED), [topic, partition])).fetchone()
        end = rows[-1].position
        if not chain or (headed is not None and end <= headed[0]):
            return None
        return AuditHead(topic=topic, partition=partition, position=end, chain=chain.hex())

    async def _kept(self, connection: Connection, said: Sequence[AuditRow]) -> dict[AuditRow, bytes]:
        """The chain at rows that are there already; those that are not as they were said are told."""
        found = await connection.execute(self._sql(_KEPT), [*said[0][:2], said[0].position, said[-1].position])
        kept = {AuditRow(*row[:-1]): row[-1] for row in await found.fetchall()}
        for row in said:
            if row not in kept:
                self._metrics.contradicted.inc()
                log.error("the audit does not hold this record as it was said; run `automl-stream audit verify`",
                          topic=row.topic, partition=row.partition, offset=row.position)
        return kept

    def _sql(self, statement: Any) -> sql.Composed:
        return sql.SQL(statement).format(schema=self._storage.schema)
