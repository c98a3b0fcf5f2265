"""The join of labels and predictions, in PostgreSQL: what waits, what is due, what has been emitted."""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql

from schemas.messages import FeatureValue, LabelledEvent, LabelValue, Model
from schemas.pipeline import Task
from stream_apps.storage import Storage

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
EMIT_ROWS = 5_000

# Typed: PostgreSQL writes 1e300 as an integer of 301 digits.
_decode_features = msgspec.json.Decoder(list[FeatureValue]).decode

_STORE = """
insert into {schema}.labels as kept (entity, event_id, ts, label, revision, block, block_size)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (entity, event_id) do update
set ts = excluded.ts, label = excluded.label, revision = excluded.revision,
    block = excluded.block, block_size = excluded.block_size
where excluded.revision > kept.revision
"""

# A label joins the event's lowest source; the order is the same for every reader: (ts, partition, offset).
_DUE = """
select l.label::text, l.revision, l.ts, p.event_id, p.entity, p.ts, p.source, p.pipeline_digest, p.features::text,
       p.model_version, p.model_digest, p.model_epoch, p.prediction, p.score, p.probabilities::text
from {schema}.labels l
cross join lateral (
  select * from {schema}.predictions
  where entity = l.entity and event_id = l.event_id order by partition, position limit 1
) p
where l.emitted_revision is distinct from l.revision and l.block is not distinct from %s
order by p.ts, p.partition, p.position
limit %s
"""

_NEXT_BLOCK = """
select block, max(block_size) from {schema}.labels
where emitted_revision is distinct from revision and block is not null
group by block order by block limit 1
"""

_MARK = """
update {schema}.labels set emitted_revision = %s where entity = %s and event_id = %s
"""

_WAITING = "select count(*) from {schema}.labels where emitted_revision is distinct from revision"


class StoredLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label as it is stored. `block`: labels that are emitted together, once all `block_size` of them are joined."""

    entity: str
    event_id: str
    ts: int
    label: LabelValue
    revision: int
    block: int | None
    block_size: int | None


class LabelJoin:
    """Reads and writes the `labels` table."""

    def __init__(self, storage: Storage, task: Task) -> None:
        self._storage = storage
        self._task = task

    async def store(self, labels: Sequence[StoredLabel]) -> None:
        """Store labels; of several of an event the highest revision stays."""
        rows = [(x.entity, x.event_id, x.ts, msgspec.json.encode(x.label).decode(), x.revision, x.block, x.block_size)
                for x in labels]

        async def work(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                await cursor.executemany(self._sql(_STORE), rows)

        if rows:
            await self._storage.run(work)

    async def due(self) -> tuple[list[LabelledEvent], bool]:
        """Pairs to emit, in order, and whether a block waits for its last pairs."""

        async def work(connection: Connection) -> tuple[list[LabelledEvent], bool]:
            pairs = await self._pairs(connection, None, EMIT_ROWS)
            if pairs:
                return pairs, False
            block = await (await connection.execute(self._sql(_NEXT_BLOCK))).fetchone()
            if block is None:
                return [], False
            pairs = await self._pairs(connection, block[0], block[1])
            return (pairs, False) if len(pairs) == block[1] else ([], True)

        return await self._storage.run(work)

    async def mark_emitted(self, pairs: Sequence[LabelledEvent]) -> None:
        """Note that Kafka has confirmed these."""
        rows = [(pair.revision, pair.entity, pair.event_id) for pair in pairs]

        async def work(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                await cursor.executemany(self._sql(_MARK), rows)

        await self._storage.run(work)

    async def waiting(self) -> int:
        """Labels that are not emitted."""

        async def work(connection: Connection) -> int:
            row = await (await connection.execute(self._sql(_WAITING))).fetchone()
            return int(row[0]) if row else 0

        return await self._storage.run(work)

    async def _pairs(self, connection: Connection, block: int | None, limit: int) -> list[LabelledEvent]:
        rows = await (await connection.execute(self._sql(_DUE), (block, limit))).fetchall()
        return [self._labelled(row) for row in rows]

    def _labelled(self, row: tuple[Any, ...]) -> LabelledEvent:
        (label, revision, labelled_ts, event_id, entity, ts, source, pipeline_digest, features, version, digest, epoch,
         prediction, score, probabilities) = row
        return LabelledEvent(
            event_id=event_id, entity=entity, ts=ts, source=source, pipeline_digest=pipeline_digest,
            features=_decode_features(features), label=msgspec.json.decode(label), revision=revision,
            labelled_ts=labelled_ts, model=Model(version=version, digest=digest, epoch=epoch),
            prediction=float(prediction) if self._task == "regression" else prediction, score=score,
            probabilities=None if probabilities is None else msgspec.json.decode(probabilities),
        )

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(schema=self._storage.schema)
