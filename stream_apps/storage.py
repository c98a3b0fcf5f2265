"""PostgreSQL as the services use it: one connection that comes back, and the tables of a pipeline."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import LiteralString, TypeVar, cast

import psycopg
import structlog
from psycopg import sql

from schemas.topics import QUALITY, topic_name

log = structlog.get_logger()

ResultT = TypeVar("ResultT")
Work = Callable[["psycopg.AsyncConnection[tuple[object, ...]]"], Awaitable[ResultT]]

RETRY_SECONDS = 1.0
# The statement is refused, whenever it is tried: a value that does not fit its column, or an index entry too long.
REFUSED = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded)


class Storage:
    """Runs work in transactions; while PostgreSQL is away the work waits, and Kafka keeps what it would have stored."""

    def __init__(self, url: str, pipeline: str) -> None:
        self._url = url
        self.schema = sql.Identifier(pipeline)
        self._quality = sql.Literal(topic_name(pipeline, QUALITY))
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._lock = asyncio.Lock()
        self.available = False
        self._warned = False

    async def run(self, work: Work[ResultT]) -> ResultT:
        """Result of `work` in one committed transaction, tried again for as long as PostgreSQL cannot be reached.

        Raises:
            psycopg.Error: one of `REFUSED`, where trying again cannot help.
        """
        async with self._lock:
            while True:
                try:
                    connection = await self._connect()
                    async with connection.transaction():
                        result = await work(connection)
                except REFUSED:
                    raise
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    if self.available or not self._warned:
                        log.warning("PostgreSQL is away; work waits", reason=str(error).splitlines()[0])
                    self.available, self._warned = False, True
                    await self._drop()
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self.available = True
                    return result

    async def _connect(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
            await self._create_tables(self._connection)
        return self._connection

    async def _create_tables(self, connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> None:
        script = resources.files("stream_apps").joinpath("sql/schema.sql").read_text("utf-8")
        async with connection.transaction():
            # Two services may start at once, and `if not exists` alone can collide.
            await connection.execute("select pg_advisory_xact_lock(hashtext('automl-stream schema'))")
            await connection.execute(sql.SQL(cast("LiteralString", script)).format(schema=self.schema,
                                                                                  quality=self._quality))

    async def _drop(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
