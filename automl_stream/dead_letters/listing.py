"""The newest dead letters, and how many there are of each reason."""

from collections import Counter, deque
from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_stream.dead_letters.letter import Letter
from automl_stream.dead_letters.wording import printable, when

_DETAIL = 70
_PAPER = 160  # columns where the output is no terminal


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One letter in short. Times in epoch ms; `bytes`: size of the raw record, None where there is none;
    `former_topic`: it came from a topic of the same name that was deleted since."""

    source: str
    reason: str
    written: int
    record_ts: int
    detail: str
    bytes: int | None
    former_topic: bool


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The newest selected letters, oldest first, and all selected ones by reason."""

    letters: list[Line]
    totals: dict[str, int]


def make_listing(letters: Iterable[Letter], limit: int, topic_id: str) -> Listing:
    """At most `limit` lines; `topic_id` is that of `events` now."""
    newest: deque[Letter] = deque(maxlen=limit)
    totals: Counter[str] = Counter()
    for letter in letters:
        totals[letter.content.reason] += 1
        newest.append(letter)
    return Listing(letters=[_line(letter, topic_id) for letter in newest], totals=dict(totals.most_common()))


def _line(letter: Letter, topic_id: str) -> Line:
    content = letter.content
    return Line(source=content.source, reason=content.reason, written=letter.written, record_ts=content.record_ts,
                detail=content.detail, bytes=None if content.raw is None else len(content.raw),
                former_topic=letter.source.topic_id != topic_id)


def print_listing(listing: Listing) -> None:
    """As a table for a person."""
    console = Console(soft_wrap=True, width=None if Console().is_terminal else _PAPER)
    if listing.letters:
        table = Table()
        for name in ("source", "reason", "when"):
            table.add_column(name, no_wrap=True)
        table.add_column("detail")
        table.add_column("bytes", justify="right")
        for line in listing.letters:
            detail = printable(line.detail)
            if line.former_topic:
                detail = f"(former topic) {detail}"
            short = detail if len(detail) <= _DETAIL else f"{detail[:_DETAIL - 1]}…"
            size = "-" if line.bytes is None else f"{line.bytes:,}"
            table.add_row(*map(Text, (line.source, line.reason, when(line.written), short, size)))
        console.print(table)
    total, shown = sum(listing.totals.values()), len(listing.letters)
    newest = f", the newest {shown:,} shown" if shown < total else ""
    reasons = "".join(f"; {reason} {count:,}" for reason, count in listing.totals.items())
    console.print(f"{total:,} dead letters{newest}{reasons}", highlight=False)
