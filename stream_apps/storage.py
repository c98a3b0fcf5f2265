"""PostgreSQL as the services use it: one connection that comes back, as the role that writes, on tables of a known
version."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg import sql

from schemas.roles import WRITER
from stream_apps.settings import StartError

log = structlog.get_logger()

ResultT = TypeVar("ResultT")
Work = Callable[["psycopg.AsyncConnection[tuple[object, ...]]"], Awaitable[ResultT]]

RETRY_SECONDS = 1.0
SCHEMA_VERSION = "0003"  # the newest of `migrations/versions`
# The statement is refused, whenever it is tried: a value that does not fit its column, or an index entry too long.
REFUSED = (psycopg.DataError, psycopg.errors.ProgramLimitExceeded)


class SchemaDiffers(StartError):
    """The tables are not of the version that this program knows, or its login may not write them."""


def schema_version(connection: "psycopg.Connection[tuple[Any, ...]]", pipeline: str) -> str | None:
    """Version of a pipeline's tables; None where no migration has made any."""
    table = sql.SQL("{}.alembic_version").format(sql.Identifier(pipeline))
    there = connection.execute("select to_regclass(%s)", [table.as_string(connection)]).fetchone()
    if there is None or there[0] is None:
        return None
    row = connection.execute(sql.SQL("select version_num from {}").format(table)).fetchone()
    return row[0] if row else None


class Storage:
    """Runs work in transactions; while PostgreSQL is away the work waits, and Kafka keeps what it would have stored."""

    def __init__(self, url: str, pipeline: str) -> None:
        self._url = url
        self._pipeline = pipeline
        self.schema = sql.Identifier(pipeline)
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._lock = asyncio.Lock()
        self.available = False
        self._warned = False
        self._began: float | None = None

    @property
    def waiting_seconds(self) -> float:
        """How long the work under way has waited by now: PostgreSQL is away, locked, or slow; 0 where there is none."""
        began = self._began  # asked from another thread
        return 0.0 if began is None else time.monotonic() - began

    def require_schema(self) -> None:
        """Look at the tables before the service starts, where PostgreSQL answers.

        Raises:
            SchemaDiffers: as the class says.
        """
        loop = asyncio.new_event_loop()  # not the one that the service will run in
        try:
            loop.run_until_complete(self._connect())
        except psycopg.OperationalError:
            return  # the work waits, and looks then
        else:
            loop.run_until_complete(self.aclose())
        finally:
            loop.close()

    async def run(self, work: Work[ResultT]) -> ResultT:
        """Result of `work` in one committed transaction, tried again for as long as PostgreSQL cannot be reached.

        Raises:
            psycopg.Error: one of `REFUSED`, where trying again cannot help.
            SchemaDiffers: as the class says.
        """
        async with self._lock:
            self._began = time.monotonic()
            try:
                return await self._insist(work)
            finally:
                self._began = None

    async def _insist(self, work: Work[ResultT]) -> ResultT:
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
                await self.aclose()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self.available = True
                return result

    async def _connect(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        if self._connection is None or self._connection.closed:
            connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
            try:
                await self._check(connection)
            except BaseException:
                await connection.close()
                raise
            self._connection = connection
        return self._connection

    async def _check(self, connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> None:
        """Act as the writer, whoever logged in, and only on tables of the known version."""
        try:
            await connection.execute(sql.SQL("set role {}").format(sql.Identifier(WRITER)))
            found = await connection.execute(sql.SQL("select version_num from {}.alembic_version").format(self.schema))
            row = await found.fetchone()
        except (psycopg.ProgrammingError, psycopg.DataError) as error:
            raise self._differs(first_line(error)) from error
        if row is None or row[0] != SCHEMA_VERSION:
            raise self._differs(f"version {row[0] if row else 'none'}, where this program knows {SCHEMA_VERSION}")

    def _differs(self, why: str) -> SchemaDiffers:
        return SchemaDiffers(f"PostgreSQL's schema {self._pipeline} cannot be used ({why}); run `automl-stream "
                             "migrate` with the pipeline's file and a login that owns it")

    async def aclose(self) -> None:
        """Let go of the connection; work that comes later makes another."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None


def first_line(error: psycopg.Error) -> str:
    """What PostgreSQL says, without the lines that quote the row or the statement."""
    return str(error).strip().partition("\n")[0]
