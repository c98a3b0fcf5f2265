"""Whether the audit is what was said: each row gives its hash, the heads in Kafka and the records agree. No I/O.

Whoever changes a row breaks its hash; whoever computes all hashes anew, as the owner of the database can, breaks those
that Kafka holds.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from msgspec import Struct

from automl_stream.audit.heads import Known, Place
from automl_stream.audit.rows import Kept
from schemas.audit_chain import START, AuditRow, link


class Chain(Struct, frozen=True, kw_only=True):
    """What was found of one topic's partition. `heads`: that agree; `unheaded`: rows after the newest head, which the
    recorder has yet to write; `position` and `difference`: the first row that is not as it was said, and why."""

    topic: str
    partition: int
    rows: int
    heads: int
    unheaded: int
    position: int | None = None
    difference: str | None = None


class _Differs(Exception):
    """The first row that is not as it was said."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(why)
        self.position = position


def prove(rows: Iterable[Kept], known: Mapping[Place, Known]) -> Iterator[Chain]:
    """A finding for each topic's partition; `rows` in order of topic, partition, offset."""
    unseen = dict(known)
    for place, kept in groupby(rows, key=lambda k: (k.row.topic, k.row.partition)):
        yield _walk(place, kept, unseen.pop(place, None))
    for place, nothing in unseen.items():
        yield _walk(place, (), nothing)


def _walk(place: Place, kept: Iterable[Kept], known: Known | None) -> Chain:
    walk = _Walk(known)
    position: int | None = None
    difference: str | None = None
    try:
        for entry in kept:
            walk.step(entry)
        walk.end()
    except _Differs as found:
        position, difference = found.position, str(found)
    return Chain(topic=place[0], partition=place[1], rows=walk.rows, heads=walk.heads, unheaded=walk.unheaded,
                 position=position, difference=difference)


class _Walk:
    """One chain from its beginning."""

    def __init__(self, known: Known | None) -> None:
        self._known = known or Known(heads={}, records={}, first=0, end=0)
        self._due = iter(sorted(self._known.heads.keys() | self._known.records.keys()))
        self._next = next(self._due, None)
        self._newest = max(self._known.heads, default=-1)
        self._chain = START
        self.rows = self.heads = self.unheaded = 0

    def step(self, kept: Kept) -> None:
        """Take the next row."""
        row = kept.row
        self._require_none_missing(row.position)
        self._compare(row)
        self._chain = link(self._chain, row)
        if kept.chain != self._chain:
            raise _Differs(row.position, "its hash is not that of this row and of those before it: it was changed, or "
                                         "one before it was taken out")
        for head in self._known.heads.get(row.position, ()):
            if head.chain != self._chain.hex():
                raise _Differs(row.position, f"head {head.offset} in Kafka says {head.chain[:16]}..., these rows give "
                                             f"{self._chain.hex()[:16]}...: the chain was computed anew")
            self.heads += 1
        self.rows += 1
        self.unheaded = 0 if row.position in self._known.heads else self.unheaded + 1

    def end(self) -> None:
        """No row follows; records behind the newest head may still be on their way."""
        self._require_none_missing(self._newest + 1)

    def _require_none_missing(self, position: int) -> None:
        while self._next is not None and self._next < position:
            raise _Differs(self._next, "the row is missing")
        if self._next == position:
            self._next = next(self._due, None)

    def _compare(self, row: AuditRow) -> None:
        record = self._known.records.get(row.position)
        if record is None:
            if self._known.first <= row.position:
                raise _Differs(row.position, "Kafka has no such record: the row was put in")
            return  # deleted from the topic since: the heads must do
        said = AuditRow(row.topic, row.partition, record.offset, record.timestamp, record.key, record.value)
        columns = [name for name in AuditRow._fields if getattr(said, name) != getattr(row, name)]
        if columns:
            raise _Differs(row.position, f"{', '.join(columns)} is not what the record in Kafka holds")
