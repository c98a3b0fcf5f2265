"""One dead letter and where it stood; several of one source are one."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from schemas.codec import decode
from schemas.messages import DeadLetter


class Source(NamedTuple):
    """A delivery: Kafka's id of the topic, partition, offset."""

    topic_id: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Read `{topic id}-{partition}-{offset}`; the id may hold hyphens itself.

        Raises:
            ValueError: when it is something else.
        """
        topic_id, *place = text.rsplit("-", 2)
        if not topic_id or len(place) != 2 or not all(part.isascii() and part.isdecimal() for part in place):  # noqa: PLR2004
            raise ValueError(f"'{text}' is no source; expected {{topic id}}-{{partition}}-{{offset}}")
        return cls(topic_id, int(place[0]), int(place[1]))

    def __str__(self) -> str:
        return f"{self.topic_id}-{self.partition}-{self.offset}"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter, the offset of its record in `dead-letters`, and when that was written (epoch ms)."""

    source: Source
    content: DeadLetter
    offset: int
    written: int

    @property
    def identity(self) -> tuple[Source, int]:
        """What it speaks of: a record, or a range from the source to the last offset."""
        return self.source, self.content.last_offset

    def covers(self, source: Source) -> bool:
        """Whether it speaks of `source`, be it within a range."""
        first = self.source
        return first[:2] == source[:2] and first.offset <= source.offset <= max(first.offset, self.content.last_offset)


class LetterRecord(NamedTuple):
    """A record of `dead-letters`, as far as it matters here."""

    offset: int
    timestamp: int
    value: bytes | None


def distinct_letters(records: Iterable[LetterRecord], unreadable: Callable[[str], None]) -> Iterator[Letter]:
    """The letters of `records`, each source once: a crash repeats what it had not checkpointed, the first counts.

    `unreadable` hears of records that are no dead letter.
    """
    seen: set[tuple[Source, int]] = set()
    for record in records:
        try:
            content = decode(record.value or b"", DeadLetter)
            letter = Letter(source=Source.parse(content.source), content=content, offset=record.offset,
                            written=record.timestamp)
        except ValueError as error:
            unreadable(f"offset {record.offset}: {error}")
            continue
        if letter.identity not in seen:
            seen.add(letter.identity)
            yield letter
