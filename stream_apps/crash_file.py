"""Which chunk was being scored when the process died: three deaths over the same rows make them suspects.

A chunk's borders differ from life to life, so what is suspected is what the chunks of all those deaths share.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

DEATHS = 3
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
        directory.mkdir(parents=True, exist_ok=True)
        self._history = directory / f"{worker}.suspects"
        self._suspects = self._read_history()
        path = directory / f"{worker}.scoring"
        note = path.read_bytes().strip() if path.exists() else b""
        if note:
            self._blame(msgspec.json.decode(note, type=Range))
        self._note = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
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
        if any(s.rows.shared(rows) for s in self._suspects):
            self._keep([s for s in self._suspects if not s.rows.shared(rows)])

    def _blame(self, rows: Range) -> None:
        """One more death; what it does not share with an earlier one is no longer suspected."""
        shared = [Suspect(common, s.deaths + 1) for s in self._suspects if (common := s.rows.shared(rows))]
        apart = [s for s in self._suspects if not s.rows.shared(rows)]
        self._keep([*apart, *(shared or [Suspect(rows, 1)])])

    def _keep(self, suspects: list[Suspect]) -> None:
        self._suspects = suspects
        fresh = self._history.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(suspects))
        fresh.replace(self._history)

    def _read_history(self) -> list[Suspect]:
        return msgspec.json.decode(self._history.read_bytes(), type=list[Suspect]) if self._history.exists() else []

    def _write(self, note: bytes) -> None:
        os.pwrite(self._note, note.ljust(_NOTE_BYTES), 0)
