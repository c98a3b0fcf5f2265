"""A service: a command that the supervisor keeps running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from automl_stream.local_stack.errors import LocalStackError
from automl_stream.local_stack.processes import ProcessRecord, signal_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LOG_BYTES = 16 * 1024**2
HEALTHY_SECONDS = 30.0
"""A process that lived this long did not crash in a row."""
LONGEST_DELAY = 30.0
HOPELESS_EXIT = 2
"""The exit code of a service that says: starting me again cannot help."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What to run and how to look after it.

    Attributes:
        name: unique in the stack; names the log file.
        command: program and arguments. Secrets belong in ``env``: arguments are visible to every user.
        env: added to the parent's environment.
        before: called before each spawn, also a restart.
        ready: answers whether the service can be used; None if running is enough.
        ready_within: seconds the first start may take.
        stop_signal: ends it in good order; goes to its process group.
        restart: whether a crash is followed by another start.
        restart_delay: seconds before the first restart; doubles with each crash in a row.
        max_restarts: crashes in a row after which the supervisor gives up.
        infrastructure: stopped last, when those who use it have ended.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = {}
    before: Callable[[], object] | None = None
    ready: Callable[[], bool] | None = None
    ready_within: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    restart: bool = True
    restart_delay: float = 0.5
    max_restarts: int = 8
    infrastructure: bool = False


class Child:
    """A service and its current process, as the supervisor sees it."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service = service
        self.log = log
        self.settled = False
        self.given_up = False
        self.restarts = 0
        self.record: ProcessRecord | None = None
        self._crashes_in_a_row = 0
        self._restart_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Start the process in a session of its own, its output appended to the log."""
        if self.service.before:
            self.service.before()
        _turn_over(self.log)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.service.command,
                env=os.environ | dict(self.service.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # The process is ours until it is waited for, so it cannot have been replaced, only become a zombie.
        self.record = ProcessRecord.of(self.service.name, self._process.pid, self.service.stop_signal, self.restarts)

    def look_after(self) -> bool:
        """Restart the service if it crashed and its delay has passed; return whether it was restarted."""
        code = self.exit_code()
        finished = code == 0 and not self.service.restart
        if code is None or finished or self.given_up or not self.settled:
            return False
        if self._restart_at is None:
            self._note_crash()
            return False
        if time.monotonic() < self._restart_at:
            return False
        self._restart_at = None
        self.restarts += 1
        try:
            self.spawn()
        except (OSError, LocalStackError) as error:  # counts as one more crash
            self.record = None
            with self.log.open("a") as log:
                log.write(f"{self.service.name} could not be started: {error}\n")
        return True

    def _note_crash(self) -> None:
        lived = 0.0
        if self.record:
            signal_group(self.record.pid, signal.SIGKILL)  # what a dead leader leaves behind would hold its port
            lived = time.time() - self.record.created
        self._crashes_in_a_row = 1 if lived > HEALTHY_SECONDS else self._crashes_in_a_row + 1
        hopeless = self.exit_code() == HOPELESS_EXIT
        self.given_up = hopeless or not self.service.restart or self._crashes_in_a_row > self.service.max_restarts
        delay = min(self.service.restart_delay * 2 ** (self._crashes_in_a_row - 1), LONGEST_DELAY)
        self._restart_at = time.monotonic() + delay

    def exit_code(self) -> int | None:
        """Return how the process ended, or None while it runs."""
        return self._process.poll() if self._process else None

    def last_lines(self, count: int = 12) -> str:
        """Return the end of the log."""
        with self.log.open(errors="replace") as log:
            return "".join(deque(log, maxlen=count)).rstrip()


def _turn_over(log: Path) -> None:
    """Keep a log bounded: a large one becomes the previous one."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
