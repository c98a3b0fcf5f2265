"""Rows of the audit and of predictions in PostgreSQL, read only, of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from msgspec import Struct
from psycopg import sql

from automl_stream.database import one_moment
from automl_stream.stored_prediction import COLUMNS, StoredPrediction, stored_prediction
from schemas.audit_chain import AuditRow

_BATCH = 2_000
_AUDIT: LiteralString = """
select topic, partition, position, record_ts, key, value, chain from {schema}.audit
order by topic, partition, position
"""
_PREDICTIONS: LiteralString = f"""
select {COLUMNS} from {{schema}}.predictions
where event_id = %(event)s and (%(entity)s::text is null or entity = %(entity)s)
order by entity, partition, position
"""
_LABEL: LiteralString = """
select label #>> '{{}}', revision, labeller, conflict from {schema}.labels where entity = %s and event_id = %s
"""


class Kept(Struct, frozen=True):
    """A row of the audit and the hash that is stored with it."""

    row: AuditRow
    chain: bytes


class Truth(Struct, frozen=True, kw_only=True):
    """The label of an event."""

    label: str
    revision: int
    labeller: str
    conflict: bool


class Record:
    """A pipeline's schema."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]", pipeline: str) -> None:
        self._connection = connection
        self._schema = sql.Identifier(pipeline)

    def begin(self) -> None:
        """Fix the moment whose rows are read."""
        self._connection.execute("select 1")

    def audit(self) -> Iterator[Kept]:
        """Every row, by topic, partition and offset; they are not held all at once."""
        with self._connection.cursor("audit") as cursor:
            cursor.itersize = _BATCH
            for *row, chain in cursor.execute(self._sql(_AUDIT)):
                yield Kept(AuditRow(*row), bytes(chain))

    def predictions(self, event_id: str, entity: str | None) -> list[StoredPrediction]:
        """Of an event: one a delivery, the lowest source of an entity first."""
        rows = self._connection.execute(self._sql(_PREDICTIONS), {"event": event_id, "entity": entity}).fetchall()
        return [stored_prediction(row) for row in rows]

    def truth(self, entity: str, event_id: str) -> Truth | None:
        """Its label, if there is one."""
        row = self._connection.execute(self._sql(_LABEL), [entity, event_id]).fetchone()
        return None if row is None else Truth(**dict(zip(Truth.__struct_fields__, row, strict=True)))

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(schema=self._schema)


@contextmanager
def open_record(url: str, pipeline: str) -> Iterator[Record]:
    """The rows of one moment.

    Raises:
        DatabaseAway: as the class says.
    """
    with one_moment(url, pipeline) as connection:
        yield Record(connection, pipeline)
