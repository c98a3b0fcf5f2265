"""PostgreSQL as the console uses it: as the role that reads, a connection a page, every statement bounded in time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from msgspec import Struct
from psycopg import sql
from psycopg.rows import dict_row

from console.errors import Away, NoTables
from schemas.roles import READER
from schemas.topics import Topic, topic_name

CONNECT_SECONDS = 2
STATEMENT_MS = 5_000
SINCE_ROWS = 5_000

Row = dict[str, Any]


class Record(Struct, frozen=True, kw_only=True):
    """A record as the recorder stored it. `said`: its Kafka timestamp, epoch ms."""

    position: int
    said: int
    value: bytes


class Reading:
    """What one page reads of one pipeline: rows of a single moment."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], pipeline: str) -> None:
        self._connection = connection
        self.pipeline = pipeline

    def rows(self, query: LiteralString, **values: object) -> Sequence[Row]:
        """Rows of a query; in it {schema} is the pipeline's schema. It must have a LIMIT, or answer with one row."""
        text = sql.SQL(query).format(schema=sql.Identifier(self.pipeline))
        return self._connection.cursor(row_factory=dict_row).execute(text, values).fetchall()

    def newest(self, topic: Topic, limit: int, before: int | None = None) -> list[Record]:
        """The newest records of a topic of one partition that is recorded, newest first; `before`: this position."""
        rows = self.rows(_AUDITED if topic.audited else _RECORDED, topic=topic_name(self.pipeline, topic),
                         limit=limit, before=before)
        return list(map(as_record, rows))

    def since(self, topic: Topic, position: int) -> Iterator[Record]:
        """Every record of an audited topic from a position on, oldest first."""
        while found := self.rows(_SINCE, topic=topic_name(self.pipeline, topic), position=position, limit=SINCE_ROWS):
            yield from map(as_record, found)
            position = found[-1]["position"] + 1

    def said(self, topic: Topic) -> int:
        """How many records a topic of one partition was ever given, as far as they are stored."""
        newest = self.newest(topic, 1)
        return newest[0].position + 1 if newest else 0


_AUDITED: LiteralString = """
select position, record_ts, value from {schema}.audit
where topic = %(topic)s and partition = 0 and (%(before)s::bigint is null or position < %(before)s)
order by position desc limit %(limit)s"""
_RECORDED: LiteralString = """
select position, record_ts, value from {schema}.messages
where topic = %(topic)s and partition = 0 and (%(before)s::bigint is null or position < %(before)s) and not erased
order by position desc limit %(limit)s"""


_SINCE: LiteralString = """
select position, record_ts, value from {schema}.audit
where topic = %(topic)s and partition = 0 and position >= %(position)s order by position limit %(limit)s"""


def as_record(row: Row) -> Record:
    """The record of a row with its position, time and value."""
    return Record(position=row["position"], said=row["record_ts"], value=row["value"])


class Store:
    """Gives pages what they read."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def reading(self, pipeline: str) -> Iterator[Reading]:
        """Read a pipeline's rows of one moment.

        Raises:
            Away: when PostgreSQL does not answer, or not in time.
            NoTables: as the class says.
        """
        try:
            with psycopg.connect(self._url, connect_timeout=CONNECT_SECONDS,
                                 options=f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC") as connection:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(READER)))
                yield Reading(connection, pipeline)
        except psycopg.errors.QueryCanceled as error:
            raise Away(f"PostgreSQL took more than {STATEMENT_MS / 1_000:g} s for this page; ask for less, or look "
                       "after the database") from error
        except psycopg.OperationalError as error:
            raise Away("PostgreSQL does not answer; scoring goes on without it, and this page comes back with it"
                       ) from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidParameterValue,
                psycopg.errors.InsufficientPrivilege) as error:
            raise NoTables(f"the tables of pipeline '{pipeline}' cannot be read; run `automl-stream migrate` with its "
                           f"file, and give this login the role {READER}") from error
