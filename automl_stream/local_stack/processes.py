"""What runs in a home: the file processes.json, and how processes are recognised and ended."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import msgspec
import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CREATED_TOLERANCE = 2.0
"""Seconds by which a process's creation time may seem to move when the system clock is adjusted."""


class ProcessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A process we started. A pid alone may be someone else's by now; pid and creation time (Unix seconds) are not."""

    name: str
    pid: int
    created: float
    stop_signal: int = signal.SIGTERM
    restarts: int = 0

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: int = signal.SIGTERM, restarts: int = 0) -> ProcessRecord:
        """Record a living process. Raises psutil.NoSuchProcess if it has gone."""
        created = psutil.Process(pid).create_time()
        return cls(name=name, pid=pid, created=created, stop_signal=stop_signal, restarts=restarts)

    def process(self) -> psutil.Process | None:
        """Return the process if it still lives (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < CREATED_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """The content of processes.json: the supervising parent, its children in start order, addresses without secrets."""

    parent: ProcessRecord
    children: tuple[ProcessRecord, ...] = ()
    addresses: dict[str, str] = msgspec.field(default_factory=dict)


def read_state(home: Path) -> StackState | None:
    """Return the state last written in home, or None if there is none."""
    try:
        return msgspec.json.decode((home / "processes.json").read_bytes(), type=StackState)
    except FileNotFoundError:
        return None


def write_state(home: Path, state: StackState) -> None:
    """Replace the state file atomically, so that a reader, or a kill in between, never sees half of it."""
    partial = home / "processes.json.partial"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    partial.replace(home / "processes.json")


def remove_state(home: Path) -> None:
    """Forget the state: nothing runs any more."""
    (home / "processes.json").unlink(missing_ok=True)


def end_all(records: Sequence[ProcessRecord], grace: float) -> None:
    """Signal all records' process groups in reverse order, and kill what is left after ``grace`` seconds.

    The groups' signals are the services' own stop signals, so that data is left clean and the next start is quick.
    """
    processes = [(record, process) for record in reversed(records) if (process := record.process())]
    families = [process for _, process in processes for process in family(process)]
    for record, _ in processes:
        signal_group(record.pid, record.stop_signal)
    _, alive = psutil.wait_procs(families, timeout=grace)
    for record, process in processes:
        if process in alive:
            signal_group(record.pid, signal.SIGKILL)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=1)


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return the process and all its living descendants."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident_bytes(pid: int) -> int:
    """Return the resident bytes of a process and its descendants; 0 if it has gone."""
    total = 0
    try:
        for process in family(psutil.Process(pid)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total


def signal_group(pid: int, number: int) -> None:
    """Signal the process group that ``pid`` leads (each service leads its own); a group that has gone is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
