"""Where a command finds PostgreSQL, and the rows of one moment in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from automl_stream.wrong_use import WrongUse
from kafka_access.access import KafkaAccess
from stream_apps.storage import first_line


class DatabaseAway(Exception):
    """PostgreSQL does not answer, or has no tables of the pipeline. Retriable."""


@contextmanager
def addresses(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[KafkaAccess, str]]:
    """Access to Kafka and URL of PostgreSQL, as `reachable` finds them.

    Raises:
        WrongUse: when there is neither.
    """
    from automl_stream.verify.command import reachable  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.verify.errors import NoAddress  # noqa: PLC0415

    try:
        with reachable(home, environment) as found:
            yield found
    except NoAddress as error:
        raise WrongUse(str(error)) from error


@contextmanager
def database(home: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """URL of PostgreSQL: the environment's, else that of the stack in `home`, which is started for as long as it is
    needed where it was ended.

    Raises:
        WrongUse: when there is neither.
    """
    if named := environment.get("DATABASE_URL"):
        yield named
        return
    with addresses(home, environment) as (_, url):
        yield url


@contextmanager
def one_moment(url: str, pipeline: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection that reads the pipeline's rows of one moment, and only reads.

    Raises:
        DatabaseAway: as the class says.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield connection
    except psycopg.OperationalError as error:
        raise unanswered(error) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InsufficientPrivilege
            ) as error:
        raise DatabaseAway(f"pipeline '{pipeline}' cannot be read in PostgreSQL ({first_line(error)}); `automl-stream "
                           "migrate` makes its tables") from error


def unanswered(error: psycopg.OperationalError) -> DatabaseAway:
    """PostgreSQL does not answer."""
    return DatabaseAway(f"PostgreSQL does not answer ({first_line(error)}); start it, or correct DATABASE_URL")
