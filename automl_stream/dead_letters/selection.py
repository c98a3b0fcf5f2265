"""Which dead letters a command is about."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from automl_stream.dead_letters.letter import Letter, Source
from schemas.codec import epoch_ms
from schemas.pipeline import Duration


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Filters that all must agree; an empty one lets everything pass. Times in epoch ms: when the letter was written,
    from `since` (inclusive) to `until` (exclusive). `contains` is looked for in the raw bytes and in the detail."""

    reasons: Collection[str] = ()
    partitions: Collection[int] = ()
    sources: Collection[Source] = ()
    since: int | None = None
    until: int | None = None
    contains: str = ""

    def __contains__(self, letter: Letter) -> bool:
        content = letter.content
        return (
            (not self.reasons or content.reason in self.reasons)
            and (not self.partitions or letter.source.partition in self.partitions)
            and (not self.sources or letter.source in self.sources)
            and (self.since is None or letter.written >= self.since)
            and (self.until is None or letter.written < self.until)
            and (self.contains in content.detail or self.contains.encode() in (content.raw or b""))
        )


def moment(text: str, now: int) -> int:
    """Epoch milliseconds of an RFC 3339 time (UTC where it names no zone), or of a span before `now`, such as 2h.

    Raises:
        ValueError: when it is neither.
    """
    try:
        return now - Duration.parse(text)
    except ValueError:
        pass  # then it is a time
    try:
        return epoch_ms(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text}' is no time; expected RFC 3339, such as 2026-01-31T12:00:00Z, or a span back from "
                         "now: a number and ms, s, m, h or d, such as 2h") from error
