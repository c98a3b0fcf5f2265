"""The rows of a pipeline's schema in PostgreSQL, of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import msgspec
import psycopg
from psycopg import sql

from automl_stream.stored_prediction import COLUMNS, stored_prediction
from automl_stream.verify.errors import DatabaseUnavailable
from automl_stream.verify.recording import Kept, LabelRow, MessageRow, RefusedRow, Rows
from schemas.pipeline import Pipeline

_PREDICTIONS = f"select {COLUMNS} from {{schema}}.predictions where not erased"
_MESSAGES = """
select topic, partition, position, record_ts, key, value from {schema}.messages where not erased union all
select topic, partition, position, record_ts, key, value from {schema}.audit
"""
_REFUSED = "select topic, partition, position, value from {schema}.refused where not erased"
_KEPT = "select parent, first::text from {schema}.kept_days"
_ERASED_SOURCES = "select source from {schema}.predictions where erased"
_ERASED_PLACES = """
select topic, partition, position from {schema}.messages where erased union all
select topic, partition, position from {schema}.refused where erased
"""
_LABELS = """
select entity, event_id, ts, label::text, revision, labeller, implicit, conflict, expired,
       (emitted_revision, emitted_conflict) is not distinct from (revision, conflict)
from {schema}.labels
"""
_DUE = """
select count(*) from {schema}.labels l
where (emitted_revision, emitted_conflict) is distinct from (revision, conflict) and not expired and ripe >= %(waits)s
and exists (select from {schema}.predictions where entity = l.entity and event_id = l.event_id)
"""
_RIPE = """
select count(*) from {schema}.unripe u join {schema}.event_times t using (partition) where u.ts <= t.newest - %(after)s
"""


class Database:
    """Reads only."""

    def __init__(self, url: str, pipeline: Pipeline) -> None:
        self._url = url
        self._pipeline = pipeline

    def rows(self) -> Rows:
        """All rows that are judged; none where the schema does not exist.

        Raises:
            DatabaseUnavailable: when PostgreSQL does not answer.
        """
        with self._connected() as connection:
            return Rows(
                predictions=[stored_prediction(row) for row in self._select(connection, _PREDICTIONS)],
                messages=[MessageRow(**dict(zip(MessageRow.__struct_fields__, row, strict=True)))
                          for row in self._select(connection, _MESSAGES)],
                refused=[RefusedRow(**dict(zip(RefusedRow.__struct_fields__, row, strict=True)))
                         for row in self._select(connection, _REFUSED)],
                labels=[self._label(row) for row in self._select(connection, _LABELS)],
                kept=self._kept(connection),
            )

    def labels_due(self) -> int:
        """Labels whose prediction is stored and whose pair is due but not yet in the training log; silence too.

        Raises:
            DatabaseUnavailable: when PostgreSQL does not answer.
        """
        with self._connected() as connection:
            implicit = self._pipeline.pipeline.unlabelled_after
            found = self._select(connection, _DUE, {"waits": implicit is not None})
            if implicit is not None:
                found += self._select(connection, _RIPE, {"after": implicit.after})
            return sum(int(row[0]) for row in found)

    def _kept(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> Kept:
        first: dict[str, str] = {row[0]: row[1] for row in self._select(connection, _KEPT)}
        return Kept(
            predictions=first.get("predictions", ""), messages=first.get("messages", ""),
            erased_sources=frozenset(row[0] for row in self._select(connection, _ERASED_SOURCES)),
            erased_places=frozenset(row[:3] for row in self._select(connection, _ERASED_PLACES)))

    def _label(self, row: tuple[Any, ...]) -> LabelRow:
        entity, event_id, ts, label, *rest = row
        value: Any = msgspec.json.decode(label, type=float if self._pipeline.task == "regression" else str)
        return LabelRow(**dict(zip(LabelRow.__struct_fields__, (entity, event_id, ts, value, *rest), strict=True)))

    @contextmanager
    def _connected(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        try:
            with psycopg.connect(self._url, connect_timeout=5) as connection:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                yield connection
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1]
            raise DatabaseUnavailable(f"PostgreSQL does not answer ({reason}); start it, or correct "
                                      "DATABASE_URL") from error

    def _select(self, connection: "psycopg.Connection[tuple[Any, ...]]", query: str,
                values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        exists = connection.execute("select to_regnamespace(%s)", [f'"{self._pipeline.name}"']).fetchone()
        if exists is None or exists[0] is None:
            return []
        statement = sql.SQL(cast("Any", query)).format(schema=sql.Identifier(self._pipeline.name))
        return connection.execute(statement, values).fetchall()
