"""What the label join must know of stored predictions, kept beside them: it never searches the millions of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from schemas.pipeline import Identity

SPANS = 8  # of event time in a label horizon

_NEWEST = """
insert into {schema}.event_times as kept (partition, newest) values (%s, %s)
on conflict (partition) do update set newest = greatest(kept.newest, excluded.newest)
"""
_PREDICTED = """
insert into {schema}.coverage as kept (start, predictions) values (%s, %s)
on conflict (start) do update set predictions = kept.predictions + excluded.predictions
"""
_UNRIPE = """
insert into {schema}.unripe (entity, event_id, partition, ts)
select * from unnest(%s::text[], %s::text[], %s::int[], %s::bigint[]) on conflict do nothing
"""


class Stored(NamedTuple):
    """A prediction that was not there before: its event, and the partition and event time of that."""

    entity: str
    event_id: str
    partition: int
    ts: int


def span_of(identity: Identity, ts: int) -> int:
    """Start of the span of event time that `ts` lies in."""
    width = span_width(identity)
    return ts - ts % width


def span_width(identity: Identity) -> int:
    """Milliseconds of a span in which predictions and labels are counted."""
    return max(1, identity.label_horizon // SPANS)


class EventTimes:
    """Notes new predictions, in the transaction that stores them."""

    def __init__(self, schema: sql.Identifier, identity: Identity) -> None:
        self._schema = schema
        self._identity = identity

    async def note(self, connection: psycopg.AsyncConnection[Any], rows: Sequence[Stored]) -> None:
        """How far the partitions have come, how many predictions a span has, which events await a label."""
        if not rows:
            return
        newest: dict[int, int] = {}
        for row in rows:
            newest[row.partition] = max(row.ts, newest.get(row.partition, row.ts))
        spans = Counter(span_of(self._identity, row.ts) for row in rows)
        async with connection.cursor() as cursor:
            await cursor.executemany(self._sql(_NEWEST), sorted(newest.items()))
            await cursor.executemany(self._sql(_PREDICTED), sorted(spans.items()))
            if self._identity.unlabelled_after is not None:
                await cursor.execute(self._sql(_UNRIPE), [list(column) for column in zip(*rows, strict=True)])

    def _sql(self, statement: Any) -> sql.Composed:
        return sql.SQL(statement).format(schema=self._schema)
