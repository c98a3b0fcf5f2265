"""The rows of a span of days, batch by batch: at most one batch is held at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from automl_stream.database import one_moment

ROWS = 100_000  # of a file
COLUMNS = ("source", "source_day", "event_id", "entity", "ts", "pipeline_digest", "model_version", "model_digest",
           "model_epoch", "prediction", "score", "scored_at", "label", "revision", "labelled_ts", "conflict",
           "probabilities", "features")
_DAYS: LiteralString = """
select source_day, count(*) from {schema}.latest_predictions
where source_day between %s and %s group by source_day order by source_day
"""
_ROWS: LiteralString = """
select p.source, p.source_day, p.event_id, p.entity, p.ts, p.pipeline_digest, p.model_version, p.model_digest,
       p.model_epoch, p.prediction, p.score, p.scored_at, l.label #>> '{{}}', l.revision, l.ts, l.conflict,
       p.probabilities::text, p.features::text
from {schema}.latest_predictions p left join {schema}.labels l using (entity, event_id)
where p.source_day = %s order by p.partition, p.position
"""
Row = tuple[Any, ...]


class Days:
    """A pipeline's predictions, distinct by event, of one moment."""

    def __init__(self, connection: psycopg.Connection[Row], pipeline: str, span: tuple[date, date]) -> None:
        self._connection = connection
        self._schema = sql.Identifier(pipeline)
        self._span = span

    def counts(self) -> dict[date, int]:
        """Rows of each day that has some."""
        found = self._connection.execute(self._sql(_DAYS), self._span).fetchall()
        return {row[0]: row[1] for row in found}

    def batches(self, day: date) -> Iterator[list[Row]]:
        """The rows of a day in the order of `COLUMNS`, each event once."""
        with self._connection.cursor("export") as cursor:
            cursor.execute(self._sql(_ROWS), [day])
            while rows := cursor.fetchmany(ROWS):
                yield rows

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(schema=self._schema)


@contextmanager
def open_days(url: str, pipeline: str, span: tuple[date, date]) -> Iterator[Days]:
    """Read only.

    Raises:
        DatabaseAway: as the class says.
    """
    with one_moment(url, pipeline) as connection:
        yield Days(connection, pipeline, span)
