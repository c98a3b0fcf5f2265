"""Which chunk was being scored when the process died: three deaths over the same rows make them suspects.

A chunk's borders differ from life to life, so what is suspected is what the chunks of all those deaths share.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog
from msgspec import Struct

NoteT = TypeVar("NoteT")
log = structlog.get_logger()

DEATHS = 3
MAX_SUSPECTS = 64
_NOTE_BYTES = 128


class Range(Struct, frozen=True):
    """Offsets `first` to `end` (exclusive) of a partition of the topic with this id."""

    topic_id: str
    partition: int
    first: int
    end: int

    def shared(self, other: "Range") -> "Range | None":
        """What both hold."""
        first, end = max(self.first, other.first), min(self.end, other.end)
        same = (self.topic_id, self.partition) == (other.topic_id, other.partition)
        return Range(self.topic_id, self.partition, first, end) if same and first < end else None


class Suspect(Struct, frozen=True):
    """Rows over which the process died so many times."""

    rows: Range
    deaths: int


class CrashFile:
    """Notes of one worker in `directory`: what it is scoring, and what it died of before.

    No note is forced to the disk: a dead process loses nothing that it wrote, only a dead machine does.
    """

    def __init__(self, directory: Path, worker: str) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._history = directory / f"{worker}.suspects"
        self._suspects = _read(self._history, list[Suspect]) or []
        path = directory / f"{worker}.scoring"
        if note := _read(path, Range):
            self._blame(note)
        self._note = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        self._write(b"")

    def suspected(self, rows: Range) -> bool:
        """Whether some of the rows must first be tried where a death costs nothing."""
        return any(s.deaths >= DEATHS and s.rows.shared(rows) for s in self._suspects)

    @contextmanager
    def scoring(self, rows: Range) -> Iterator[None]:
        """Note the rows while they are scored. Only a death, or an error that ends the process, leaves the note."""
        self._write(msgspec.json.encode(rows))
        try:
            yield
        except asyncio.CancelledError:
            self._write(b"")
            raise
        self._write(b"")

    def acquit(self, rows: Range) -> None:
        """These rows are scored, and so are those before them: only what follows is still suspected."""
        if any(s.rows.shared(rows) for s in self._suspects):
            later = [Suspect(Range(s.rows.topic_id, s.rows.partition, rows.end, s.rows.end), s.deaths)
                     if s.rows.shared(rows) else s for s in self._suspects]
            self._keep([s for s in later if s.rows.first < s.rows.end])

    def _blame(self, rows: Range) -> None:
        """One more death; what it does not share with an earlier one is no longer suspected."""
        shared = [Suspect(common, s.deaths + 1) for s in self._suspects if (common := s.rows.shared(rows))]
        apart = [s for s in self._suspects if not s.rows.shared(rows)]
        self._keep([*apart, *(shared or [Suspect(rows, 1)])])

    def _keep(self, suspects: list[Suspect]) -> None:
        self._suspects = suspects[-MAX_SUSPECTS:]
        fresh = self._history.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(self._suspects))
        fresh.replace(self._history)

    def _write(self, note: bytes) -> None:
        os.pwrite(self._note, note.ljust(_NOTE_BYTES), 0)


def _read(path: Path, kind: type[NoteT]) -> NoteT | None:
    """What a file says; None where there is nothing, or what a dying machine left."""
    note = path.read_bytes().strip() if path.exists() else b""
    try:
        return msgspec.json.decode(note, type=kind) if note else None
    except msgspec.DecodeError as error:
        log.warning("a note of an earlier life cannot be read and is forgotten", file=str(path), reason=str(error))
        return None
