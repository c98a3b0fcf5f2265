"""Days that the tables hold: a partition each, made when its first row comes, dropped when retention has passed it.

The newest day that was stored decides, never the clock.
"""

from datetime import date, timedelta
from math import ceil

import psycopg
from psycopg import sql

from schemas.pipeline import Retention
from schemas.topics import DAY_MS
from stream_apps.storage import Storage

Connection = psycopg.AsyncConnection[tuple[object, ...]]

_EPOCH = date(1970, 1, 1)
_LAST_DAY = (date(9999, 12, 30) - _EPOCH).days


def record_day(ts: int) -> str:
    """Day of a record's time (epoch ms); a record without one is of the first."""
    return (_EPOCH + timedelta(days=min(max(0, ts) // DAY_MS, _LAST_DAY))).isoformat()


class KeptDays:
    """Opens days before their rows are stored."""

    def __init__(self, storage: Storage, retention: Retention) -> None:
        self._storage = storage
        self._keep = None if retention.tables is None else ceil(retention.tables / DAY_MS)
        self._open: set[tuple[str, str]] = set()
        self._first: dict[str, str] = {}

    async def open(self, table: str, days: set[str]) -> str:
        """Make the partitions that are missing; returns the first day that the table keeps. A transaction of its own:
        days are known once it is committed, whatever becomes of the rows."""
        missing = sorted((table, day) for day in days if (table, day) not in self._open and day >= self.first(table))

        async def work(connection: Connection) -> str:
            first = ""
            for name, day in missing:
                found = await connection.execute(sql.SQL("select {}.open_day(%s, %s::date, %s)::text").format(
                    self._storage.schema), [name, day, self._keep])
                first = str((await found.fetchone() or ("",))[0])
            return first

        if missing:
            first = self._first[table] = await self._storage.run(work)
            self._open = {(name, day) for name, day in {*self._open, *missing} if name != table or day >= first}
        return self.first(table)

    def first(self, table: str) -> str:
        """First day that the table keeps, as far as is known."""
        return self._first.get(table, "")
