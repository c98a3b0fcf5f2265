"""The audit, a line a row: when, what, who."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_stream.audit.errors import UnknownRow
from automl_stream.audit.heads import AUDITED
from automl_stream.audit.rows import Kept
from automl_stream.dead_letters.wording import printable, readable, when
from schemas.codec import decode
from schemas.messages import Command, Configuration, DriftAlert, ModelAnnouncement, TrainingDecision
from schemas.topics import COMMANDS, CONFIG, DRIFT_ALERTS, MODEL_UPDATES, TRAINING_DECISIONS, Topic, topic_name

_PAPER = 160  # columns where the output is no terminal
_TYPES: dict[Topic, Any] = {DRIFT_ALERTS: DriftAlert, TRAINING_DECISIONS: TrainingDecision, COMMANDS: Command,
                            MODEL_UPDATES: ModelAnnouncement, CONFIG: Configuration}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A row in short. `place`: topic/partition/offset, as `show` takes it; `at`: epoch ms; `hash`: of the chain."""

    place: str
    at: int
    what: str
    by: str
    hash: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row in full; `value`: the text of its bytes, or a hex dump."""

    place: str
    at: int
    key: str | None
    value: str | None
    hash: str


def make_lines(pipeline: str, rows: Iterable[Kept], limit: int, topic: str | None) -> list[Line]:
    """The newest `limit` rows by time, oldest first; with `topic` (its short name) only of that."""
    wanted = {topic_name(pipeline, t): t for t in AUDITED if topic in (None, t.name)}
    lines = (_line(pipeline, wanted[kept.row.topic], kept) for kept in rows if kept.row.topic in wanted)
    newest: dict[str, deque[Line]] = {}
    for line in lines:  # each topic is in order: of none more than `limit` can be among the newest
        newest.setdefault(line.place.split("/", 1)[0], deque(maxlen=limit)).append(line)
    return sorted((line for few in newest.values() for line in few), key=lambda line: line.at)[-limit:]


def _line(pipeline: str, topic: Topic, kept: Kept) -> Line:
    what, by = _words(topic, kept.row.value)
    return Line(place=_place(pipeline, kept), at=kept.row.record_ts, what=what, by=by, hash=kept.chain.hex())


def _place(pipeline: str, kept: Kept) -> str:
    return f"{kept.row.topic.removeprefix(f'{pipeline}.')}/{kept.row.partition}/{kept.row.position}"


def _words(topic: Topic, value: bytes | None) -> tuple[str, str]:
    """What a record says in a line, and who says it."""
    try:
        said = decode(value or b"", _TYPES[topic]) if topic in _TYPES else None
    except ValueError:
        return "cannot be read", ""
    match said:
        case DriftAlert():
            words = f"{said.kind}: {said.sentence}", "monitor"
        case TrainingDecision():
            version = f" (version {said.version})" if said.version else ""
            words = f"{said.verdict}: {said.reason}{version}", said.by or "policy"
        case Command():
            parts = said.action, said.version, said.reason and f"({said.reason})"
            words = " ".join(filter(None, parts)), said.by
        case Configuration():
            words = f"definition {said.digest[:12]} {said.reason and f'({said.reason})'}".rstrip(), said.by
        case ModelAnnouncement():
            words = f"{said.slot}: version {said.version}, {said.reason}", "trainer"
        case _:
            words = f"{len(value or b''):,} bytes", ""
    return words


def find_row(pipeline: str, rows: Iterable[Kept], place: str) -> Row:
    """The row of a place.

    Raises:
        UnknownRow: when there is none.
    """
    for kept in rows:
        if _place(pipeline, kept) == place:
            row = kept.row
            return Row(place=place, at=row.record_ts, key=None if row.key is None else readable(row.key),
                       value=None if row.value is None else readable(row.value), hash=kept.chain.hex())
    raise UnknownRow(f"the audit of '{pipeline}' has no row {place}; expected TOPIC/PARTITION/OFFSET as `automl-stream "
                     "audit list` shows it")


def describe(row: Row) -> Iterator[str]:
    """Lines for a person."""
    yield f"{'place':<8}{row.place}"
    yield f"{'at':<8}{when(row.at)}"
    yield f"{'key':<8}{'none' if row.key is None else row.key}"
    yield f"{'hash':<8}{row.hash}"
    yield ""
    yield "nothing" if row.value is None else row.value


def print_lines(lines: list[Line]) -> None:
    """As a table for a person."""
    console = Console(soft_wrap=True, width=None if Console().is_terminal else _PAPER)
    table = Table("at", "place", "what", "by", "hash")
    for line in lines:
        table.add_row(*map(Text, (when(line.at), line.place, printable(line.what), printable(line.by), line.hash[:12])))
    console.print(table)
