"""The join of labels and predictions, in PostgreSQL: what waits, what is due, what has been emitted."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql

from schemas.messages import FeatureValue, LabelledEvent, LabelValue, Model
from schemas.pipeline import Identity
from stream_apps import label_sql
from stream_apps.event_times import span_of, span_width
from stream_apps.kept_days import record_day
from stream_apps.label_states import IMPLICIT_REVISION, State, StoredLabel, placed
from stream_apps.storage import Storage

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
EMIT_ROWS = 5_000
COVERED_HORIZONS = 3  # coverage is that of predictions at most so many label horizons old

# Typed: PostgreSQL writes 1e300 as an integer of 301 digits.
_decode_features = msgspec.json.Decoder(list[FeatureValue]).decode


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A label that cannot be used: where its record stands, of which time (epoch ms), why, and its bytes."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    reason: str
    value: bytes | None


class LabelJoin:
    """Reads and writes the `labels` table."""

    def __init__(self, storage: Storage, identity: Identity) -> None:
        self._storage = storage
        self._identity = identity

    async def store(self, labels: Sequence[StoredLabel]) -> Counter[State]:
        """Store labels; of several of an event the highest revision stays. How many came to which state."""

        async def work(connection: Connection) -> Counter[State]:
            kept = await self._kept(connection, labels)
            states: Counter[State] = Counter()
            changed: dict[tuple[str, str], StoredLabel] = {}
            for label in labels:
                event = label.entity, label.event_id
                before = kept.get(event)
                state, kept[event] = placed(before, label)
                states[state] += 1
                if kept[event] is not before:
                    changed[event] = kept[event]
            async with connection.cursor() as cursor:
                await cursor.executemany(self._sql(label_sql.STORE), [self._row(x) for x in changed.values()])
            return states

        return await self._storage.run(work) if labels else Counter()

    async def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Keep what cannot be used, once."""

        async def work(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                await cursor.executemany(self._sql(label_sql.REFUSE), [
                    (r.topic, r.partition, r.offset, r.reason, r.value, record_day(r.timestamp)) for r in refusals])

        if refusals:
            await self._storage.run(work)

    async def ripen(self, partitions: Sequence[int]) -> tuple[int, int]:
        """What the event time of stored predictions decides in partitions whose labels are read to their end: silence
        becomes a label, and a label whose event is not predicted by its horizon waits no longer. How many of each."""
        implicit = self._identity.unlabelled_after

        async def work(connection: Connection) -> tuple[int, int]:
            silent, mine = 0, list(partitions)
            if implicit is not None:
                values = {"partitions": mine, "after": implicit.after, "revision": IMPLICIT_REVISION,
                          "label": msgspec.json.encode(implicit.label).decode(), "rows": EMIT_ROWS}
                found = await connection.execute(self._sql(label_sql.RIPEN), values)
                silent = sum(row[0] for row in await found.fetchall())
            expired = await connection.execute(self._sql(label_sql.EXPIRE), {
                "partitions": mine, "horizon": self._identity.label_horizon})
            return silent, expired.rowcount

        return await self._storage.run(work)

    async def due(self) -> tuple[list[LabelledEvent], bool]:
        """Pairs to emit, in order, and whether a block waits for its last pairs."""

        async def work(connection: Connection) -> tuple[list[LabelledEvent], bool]:
            pairs = await self._pairs(connection, None, EMIT_ROWS)
            if pairs:
                return pairs, False
            block = await (await connection.execute(self._sql(label_sql.NEXT_BLOCK))).fetchone()
            if block is None:
                return [], False
            pairs = await self._pairs(connection, block[0], block[1])
            return (pairs, False) if len(pairs) == block[1] else ([], True)

        return await self._storage.run(work)

    async def mark_emitted(self, pairs: Sequence[LabelledEvent]) -> None:
        """Note that Kafka has confirmed these."""
        rows = [(p.entity, p.event_id, p.revision, p.conflict, span_of(self._identity, p.ts)) for p in pairs]

        async def work(connection: Connection) -> None:
            columns = [list(column) for column in zip(*rows, strict=True)]
            await connection.execute(self._sql(label_sql.MARK), columns)

        if rows:
            await self._storage.run(work)

    async def note_silence(self) -> None:
        """Note which labels nobody gave, where labels were stored from the training log."""

        async def work(connection: Connection) -> None:
            await connection.execute(self._sql(label_sql.SILENCE), {"revision": IMPLICIT_REVISION})

        await self._storage.run(work)

    async def waiting(self) -> int:
        """Labels that are neither emitted nor expired."""

        async def work(connection: Connection) -> int:
            row = await (await connection.execute(self._sql(label_sql.WAITING))).fetchone()
            return int(row[0]) if row else 0

        return await self._storage.run(work)

    async def coverage(self) -> float | None:
        """Share with a label of the newest predictions that are older than the label horizon, and old enough for
        silence to be an answer; None while there are none."""
        implicit, horizon = self._identity.unlabelled_after, self._identity.label_horizon
        ripe = horizon if implicit is None else max(horizon, implicit.after)

        async def work(connection: Connection) -> float | None:
            row = await (await connection.execute(self._sql(label_sql.COVERAGE), {
                "oldest": ripe + COVERED_HORIZONS * horizon, "newest": ripe + span_width(self._identity)})).fetchone()
            return None if row is None or not row[0] else row[1] / row[0]

        return await self._storage.run(work)

    async def _kept(self, connection: Connection,
                    labels: Sequence[StoredLabel]) -> dict[tuple[str, str], StoredLabel]:
        events = sorted({(label.entity, label.event_id) for label in labels})
        columns = [list(column) for column in zip(*events, strict=True)]
        rows = await (await connection.execute(self._sql(label_sql.KEPT), columns)).fetchall()
        return {(row[0], row[1]): StoredLabel(
            entity=row[0], event_id=row[1], ts=row[2], label=self._value(row[3]), revision=row[4], labeller=row[5],
            partition=row[6], block=row[7], block_size=row[8], conflict=row[9]) for row in rows}

    def _row(self, x: StoredLabel) -> dict[str, object]:
        # Every event of a block has its label: there is no silence to wait for.
        ripe = self._identity.unlabelled_after is None or x.block is not None
        return msgspec.structs.asdict(x) | {"label": msgspec.json.encode(x.label).decode(), "ripe": ripe}

    async def _pairs(self, connection: Connection, block: int | None, limit: int) -> list[LabelledEvent]:
        ripe = self._identity.unlabelled_after is not None
        rows = await (await connection.execute(self._sql(label_sql.DUE), (block, ripe, limit))).fetchall()
        return [self._labelled(row) for row in rows]

    def _labelled(self, row: tuple[Any, ...]) -> LabelledEvent:
        (label, revision, labelled_ts, labeller, implicit, conflict, event_id, entity, ts, source, pipeline_digest,
         features, version, digest, epoch, prediction, score, probabilities) = row
        return LabelledEvent(
            event_id=event_id, entity=entity, ts=ts, source=source, pipeline_digest=pipeline_digest,
            features=_decode_features(features), label=self._value(label), revision=revision,
            labelled_ts=labelled_ts, model=Model(version=version, digest=digest, epoch=epoch),
            prediction=float(prediction) if self._identity.task == "regression" else prediction, score=score,
            probabilities=None if probabilities is None else msgspec.json.decode(probabilities),
            labeller=labeller, implicit=implicit, conflict=conflict,
        )

    def _value(self, label: str) -> LabelValue:
        return msgspec.json.decode(label, type=float if self._identity.task == "regression" else str)

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(schema=self._storage.schema)
