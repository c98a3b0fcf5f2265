"""Dead letters as the recorder stored them."""

from collections import Counter
from collections.abc import Sequence
from typing import LiteralString, get_args

from msgspec import Struct

from console.site import Visit
from schemas.codec import decode
from schemas.messages import DeadLetter, DeadLetterReason
from schemas.topics import DEAD_LETTERS, topic_name

REASONS: tuple[str, ...] = get_args(DeadLetterReason)
SHOWN = 1_000
READ_BYTES = 16 << 20  # of letters together: one may have four MiB
TEXT_LETTERS = 20_000

_NEWEST: LiteralString = """
select position, record_ts, value from (
  select position, record_ts, value, sum(octet_length(value)) over (order by position desc) as size from (
    select position, record_ts, value from {schema}.messages
    where topic = %(topic)s and partition = 0 and not erased order by position desc limit %(limit)s) newest) summed
where size <= %(size)s order by position desc limit %(limit)s"""


class Brief(Struct, frozen=True, kw_only=True):
    """Of a dead letter, what the list shows."""

    source: str
    reason: str
    detail: str
    record_ts: int


class Letter(Struct, frozen=True, kw_only=True):
    """A line of the list. `said`: when it was written, epoch ms."""

    position: int
    said: int
    brief: Brief


class Letters(Struct, frozen=True, kw_only=True):
    """The newest letters, newest first, of `total` that there ever were; `reasons`: how many of them have which."""

    newest: Sequence[Letter]
    total: int

    @property
    def reasons(self) -> Counter[str]:
        """Of those that were read."""
        return Counter(letter.brief.reason for letter in self.newest)


def read_letters(visit: Visit) -> Letters:
    """As many of the newest as a page can hold."""
    with visit.site.store.reading(visit.name) as reading:
        rows = reading.rows(_NEWEST, topic=topic_name(visit.name, DEAD_LETTERS), limit=SHOWN, size=READ_BYTES)
        total = reading.said(DEAD_LETTERS)
    return Letters(total=total, newest=[
        Letter(position=row["position"], said=row["record_ts"], brief=decode(row["value"], Brief)) for row in rows])


def read_letter(visit: Visit, position: int) -> DeadLetter | None:
    """All of one; None where it is gone."""
    with visit.site.store.reading(visit.name) as reading:
        records = [record for record in reading.newest(DEAD_LETTERS, 1, position + 1) if record.position == position]
    return decode(records[0].value, DeadLetter) if records else None


def as_text(data: bytes) -> str:
    r"""Bytes of a stranger as text: what is no UTF-8 and what steers a terminal is escaped. Pure.

    >>> as_text(b'{"a": "\xff\x1b"}')
    '{"a": "\\xff\\x1b"}'
    """
    text = data[:TEXT_LETTERS].decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
    return shown if len(data) <= TEXT_LETTERS else f"{shown}\n... and {len(data) - TEXT_LETTERS:,} bytes more"
