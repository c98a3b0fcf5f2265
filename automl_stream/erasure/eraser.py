"""Rows of a person in PostgreSQL: emptied where a replay would bring them back, deleted elsewhere.

An emptied row keeps its place in the log and nothing else, so that the recorder, reading the record again, finds the
place taken.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import msgspec
import psycopg
from msgspec import Struct
from psycopg import sql

from automl_stream.database import DatabaseAway, unanswered
from automl_stream.erasure.errors import NotAllowed
from automl_stream.erasure.traces import letter_names, names
from schemas.roles import OWNER
from schemas.topics import DEAD_LETTERS, LABELLED, topic_name
from stream_apps.storage import first_line

_BATCH = 1_000
_PREDICTIONS: LiteralString = """
update {schema}.predictions
set erased = true, entity = '', event_id = 'erased ' || source, ts = 0, prediction = '', score = 0,
    probabilities = null, features = '[]', scored_at = 0
where entity = %s
"""
_LABELS: LiteralString = "delete from {schema}.labels where entity = %s"
_UNRIPE: LiteralString = "delete from {schema}.unripe where entity = %s"
_MESSAGES: LiteralString = "select day, topic, partition, position, value from {schema}.messages "
_MESSAGES += "where topic = %s and value is not null and position(%s::bytea in value) > 0"
_REFUSED: LiteralString = "select topic, partition, position, value from {schema}.refused where not erased"
_EMPTY_MESSAGE: LiteralString = """
update {schema}.messages set erased = true, key = null, value = null
where day = %s and topic = %s and partition = %s and position = %s
"""
_EMPTY_REFUSED: LiteralString = """
update {schema}.refused set erased = true, value = null, reason = 'erased'
where topic = %s and partition = %s and position = %s
"""
Row = tuple[Any, ...]


class Erased(Struct, frozen=True, kw_only=True):
    """How many rows of each table. `labelled`: offsets of the training log whose copies were emptied."""

    predictions: int
    labels: int
    dead_letters: int
    refused: int
    labelled: list[int]


class Eraser:
    """Works in one transaction."""

    def __init__(self, connection: psycopg.Connection[Row], pipeline: str) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def erase(self, entity: str) -> Erased:
        """Empty and delete what there is of an entity."""
        predictions = self._execute(_PREDICTIONS, [entity]).rowcount
        labels = self._execute(_LABELS, [entity]).rowcount
        self._execute(_UNRIPE, [entity])
        letters = self._messages(topic_name(self._pipeline, DEAD_LETTERS), b"", lambda x: letter_names(entity, x))
        # Ours, so written in one way: the database itself finds the few rows among millions.
        mark = b'"entity":' + msgspec.json.encode(entity)
        labelled = self._messages(topic_name(self._pipeline, LABELLED), mark, lambda x: names(entity, x))
        refused = [row[:3] for row in self._select(_REFUSED, []) if names(entity, row[3])]
        self._each(_EMPTY_REFUSED, refused)
        return Erased(predictions=predictions, labels=labels, dead_letters=len(letters), refused=len(refused),
                      labelled=sorted(row[3] for row in labelled))

    def _messages(self, topic: str, mark: bytes, holds: Callable[[bytes], bool]) -> list[Row]:
        """Empty the messages of a topic that hold the mark and the person; returns their places."""
        found = [row[:4] for row in self._select(_MESSAGES, [topic, mark]) if holds(row[4])]
        self._each(_EMPTY_MESSAGE, found)
        return found

    def _select(self, statement: LiteralString, values: list[Any]) -> Iterator[Row]:
        """Rows that are not held all at once."""
        with self._connection.cursor("erasure") as cursor:
            cursor.itersize = _BATCH
            yield from cursor.execute(self._sql(statement), values)

    def _execute(self, statement: LiteralString, values: list[Any]) -> psycopg.Cursor[Row]:
        return self._connection.execute(self._sql(statement), values)

    def _each(self, statement: LiteralString, places: list[Row]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(self._sql(statement), places)

    def _sql(self, statement: LiteralString) -> sql.Composed:
        return sql.SQL(statement).format(schema=sql.Identifier(self._pipeline))


@contextmanager
def open_eraser(url: str, pipeline: str) -> Iterator[Eraser]:
    """What is erased is so once the block has ended well; else nothing is.

    Raises:
        NotAllowed, DatabaseAway: as the classes say.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
            yield Eraser(connection, pipeline)
    except psycopg.OperationalError as error:
        raise unanswered(error) from error
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue) as error:
        raise NotAllowed(f"the login of DATABASE_URL may not erase ({first_line(error)}); use one that may act as "
                         f"{OWNER}") from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise DatabaseAway(f"pipeline '{pipeline}' has no tables in PostgreSQL ({first_line(error)}); `automl-stream "
                           "migrate` makes them") from error
