"""From a body to its answer: rows are read, what is new is sent, what Kafka has confirmed is acknowledged."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from doors.problem import Problem, Refused, RowProblem, refusal, told
from doors.settings import SINGLE_BYTES
from producers.api.batch import BadRow, Row, Shape, rows_of
from producers.api.metrics import Count
from producers.api.readers import Record
from producers.api.recent import Recent
from producers.api.sender import CONFIRMED_SECONDS, RETRY_SECONDS, Sender
from schema_registry.errors import RegistryAway

SMALL_BYTES = 64 << 10  # of a body that is read at once: others wait for less than a millisecond
CALLER_HEADER = "caller"


class Acknowledged(Struct, frozen=True, kw_only=True):
    """What every replica of Kafka has. `acknowledged`: rows, `repeated`: those of them that were there already;
    `refused`: the first of those that were left out, `more_refused`: how many others there are."""

    acknowledged: int
    repeated: int = 0
    refused: tuple[RowProblem, ...] = ()
    more_refused: int = 0


class Reader(Shape, Protocol):
    """Reads rows for one topic. `asks`: reading may wait for an answer."""

    asks: bool

    def read(self, data: bytes, caller: str) -> Record:
        """The record of a row. Raises BadRow."""
        ...


class _Rows:
    """Rows of one request by number: what can be sent, what cannot, and what was acknowledged before."""

    def __init__(self) -> None:
        self.fresh: dict[int, Record] = {}
        self.bad: dict[int, BadRow] = {}
        self.repeated = 0

    def problems(self) -> list[RowProblem]:
        """The bad ones as they are told, in order."""
        return [RowProblem(row=number, what=bad.what, where=bad.where, remedy=bad.remedy)
                for number, bad in sorted(self.bad.items())]


class Intake:
    """Takes rows for one topic. With `recent`, a row that was acknowledged lately is not sent again."""

    def __init__(self, topic: str, reader: Reader, sender: Sender, count: Count, recent: Recent | None = None) -> None:
        self._topic = topic
        self._reader = reader
        self._sender = sender
        self._count = count
        self._recent = recent

    async def one(self, body: bytes, caller: str) -> Acknowledged:
        """Take a single row.

        Raises:
            Refused: when it cannot be taken, or Kafka does not confirm it.
        """
        rows = await self._read(body, lambda: [body], caller)
        for bad in rows.bad.values():
            raise refusal(bad.status, bad.what, bad.where, bad.remedy)
        return await self._deliver(rows, caller)

    async def many(self, body: bytes, kind: str, caller: str, *, skip: bool) -> Acknowledged:
        """Take a batch: all rows or none, unless bad ones may be skipped.

        Raises:
            Refused: when rows are bad, all of them if they may be skipped, or Kafka does not confirm every one.
        """
        rows = await self._read(body, lambda: rows_of(body, kind, self._reader), caller)
        if rows.bad and not (skip and (rows.fresh or rows.repeated)):
            first, more = told(rows.problems())
            raise Refused(422, Problem(what=f"{len(rows.bad)} rows cannot be taken; nothing was sent", where="rows",
                                       remedy="mend them, or leave them out with bad_rows=skip", rows=first,
                                       more_rows=more))
        return await self._deliver(rows, caller)

    async def _read(self, body: bytes, split: Callable[[], Sequence[Row]], caller: str) -> _Rows:
        if not self._reader.asks and len(body) <= SMALL_BYTES:
            rows = self._sorted(split(), caller)
        else:
            try:
                rows = await asyncio.to_thread(lambda: self._sorted(split(), caller))
            except RegistryAway as away:
                raise refusal(503, str(away), "the schema registry", "send the same request again later",
                              retry_after=RETRY_SECONDS) from away
        self._count("refused", len(rows.bad))
        return rows

    def _sorted(self, rows: Sequence[Row], caller: str) -> _Rows:
        found, seen = _Rows(), {}
        for number, row in enumerate(rows):
            try:
                record = self._record(row, caller)
                if self._is_known(record, seen):
                    found.repeated += 1
                else:
                    found.fresh[number] = record
            except BadRow as bad:
                found.bad[number] = bad
        return found

    def _record(self, row: Row, caller: str) -> Record:
        if isinstance(row, BadRow):
            raise row
        if len(row) > SINGLE_BYTES:
            raise BadRow(f"the row is larger than {SINGLE_BYTES} bytes", "$", "send less of it")
        return self._reader.read(row, caller)

    def _is_known(self, record: Record, seen: dict[tuple[str, str], int]) -> bool:
        """Whether this event was acknowledged, or stands in the same batch already."""
        if self._recent is None:
            return False
        known = self._recent.content(record)
        if known is None:
            known = seen.get(record.identity)
        if known is None:
            seen[record.identity] = record.content
        elif known != record.content:
            raise BadRow("an event of this id said something else before", "$.event_id",
                         "give it an id of its own: an event is never amended", status=409)
        return known is not None

    async def _deliver(self, rows: _Rows, caller: str) -> Acknowledged:
        records = list(rows.fresh.values())
        failures = await self._sender.send(self._topic, records, [(CALLER_HEADER, caller.encode())])
        failed = {number: failure for number, failure in zip(rows.fresh, failures, strict=True) if failure}
        if self._recent is not None:
            for record, failure in zip(records, failures, strict=True):
                if not failure:
                    self._recent.remember(record)
        self._count("acknowledged", len(records) - len(failed))
        self._count("repeated", rows.repeated)
        if failed:
            self._count("unconfirmed", len(failed))
            raise _unconfirmed(failed, len(records))
        first, more = told(rows.problems())
        return Acknowledged(acknowledged=len(records) + rows.repeated, repeated=rows.repeated, refused=first,
                            more_refused=more)


def _unconfirmed(failed: dict[int, str], sent: int) -> Refused:
    first, more = told([RowProblem(row=number, what=failure, where="Kafka", remedy="send it again")
                        for number, failure in failed.items()])
    return Refused(503, Problem(
        what=f"Kafka has not confirmed {len(failed)} of {sent} rows within {CONFIRMED_SECONDS} s", where="Kafka",
        remedy="send the same request again: what was confirmed is known by its event_id", rows=first,
        more_rows=more), {"Retry-After": str(RETRY_SECONDS)})
