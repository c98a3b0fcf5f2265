"""Score workers under stable names, started again when they end, and what is done to them."""

import contextlib
import logging
import signal
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.live import Live

CRASH_PAUSE_SECONDS = 0.5
STOP_SECONDS = 20.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """A worker's word that from `at` on (epoch seconds) it owns `partitions`."""

    at: float
    worker: str
    partitions: tuple[int, ...]


@dataclass(kw_only=True)
class _Worker:
    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    back: float = 0.0  # when it is started again, or may go on (time.monotonic)
    frozen: bool = False
    leaving: bool = False
    working: float | None = None  # since when it has had partitions, after its start


@dataclass(kw_only=True)
class Fleet:
    """`crashes` counts the workers that ended by themselves. Nothing happens unless `tick` is called now and then."""

    live: Live
    count: int
    module: str | None = None
    crashes: int = 0
    assigned: list[Assigned] = field(default_factory=list)
    _workers: list[_Worker] = field(default_factory=list)
    _read: int = 0

    def start(self) -> None:
        """Start every worker."""
        self._workers = [_Worker(name=str(number)) for number in range(self.count)]
        self.tick()

    def tick(self) -> None:
        """Start who has to be started, wake who has slept long enough, hear what they say."""
        for worker in self._workers:
            self._notice_end(worker)
            if time.monotonic() < worker.back:
                continue
            if worker.process is None:
                worker.process = self.live.start("score", worker.name, module=self.module)
                worker.started = time.time()
            elif worker.frozen:
                worker.process.send_signal(signal.SIGCONT)
                worker.frozen = False
        self._listen()

    def working(self, number: int, seconds: float = 0.0) -> bool:
        """Whether a worker runs and has had partitions for `seconds`."""
        since = self._workers[number].working
        return self.alive(number) and since is not None and time.time() - since >= seconds

    def alive(self, number: int) -> bool:
        """Whether there is a running process that a signal can be sent to."""
        worker = self._workers[number]
        return worker.process is not None and not worker.frozen and not worker.leaving

    def kill(self, number: int, away: float) -> None:
        """As a power cut would; back after `away` seconds."""
        worker = self._workers[number]
        assert worker.process is not None
        self.live.kill(worker.process)
        self._forget(worker, away)

    def freeze(self, number: int, away: float) -> None:
        """Stop it in the middle of whatever it does; it goes on after `away` seconds and knows nothing of it."""
        worker = self._workers[number]
        assert worker.process is not None
        worker.process.send_signal(signal.SIGSTOP)
        worker.frozen, worker.back = True, time.monotonic() + away

    def leave(self, number: int, away: float) -> None:
        """Ask it to end in good order; it joins again `away` seconds after it has."""
        worker = self._workers[number]
        assert worker.process is not None
        worker.process.terminate()
        worker.leaving, worker.back = True, time.monotonic() + away

    def stop(self) -> list[int]:
        """End all in good order; the exit codes."""
        running = [worker.process for worker in self._workers if worker.process is not None]
        self._workers = []
        for process in running:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        return [process.poll() if process.poll() is not None else -1 for process in running]  # type: ignore[misc]

    def _notice_end(self, worker: _Worker) -> None:
        if worker.process is None or worker.process.poll() is None:
            return
        # Who is asked before it has learned to listen ends by the signal itself, and has nothing to lose.
        asked = worker.leaving and worker.process.returncode in {0, -signal.SIGTERM}
        if not asked:
            self.crashes += 1
            log.warning("worker %s ended by itself with %s", worker.name, worker.process.returncode)
        self._forget(worker, max(worker.back - time.monotonic(), 0.0) if asked else CRASH_PAUSE_SECONDS)

    def _forget(self, worker: _Worker, away: float) -> None:
        worker.process, worker.back = None, time.monotonic() + away
        worker.frozen = worker.leaving = False
        worker.working = None

    def _listen(self) -> None:
        """Read on in the workers' log, whole lines only."""
        with self.live.log("score").open("rb") as log:
            log.seek(self._read)
            text = log.read()
        text = text[: text.rfind(b"\n") + 1]
        self._read += len(text)
        for line in text.splitlines():
            if b'"partitions assigned"' in line and (said := _parse(line)) is not None:
                self.assigned.append(said)
                worker = next((w for w in self._workers if w.name == said.worker), None)
                if worker is not None and said.at >= worker.started and said.partitions:
                    worker.working = worker.working or said.at


def log_end(path: Path, size: int = 3_000) -> str:
    """The end of a log."""
    return path.read_bytes()[-size:].decode(errors="replace")


def _parse(line: bytes) -> Assigned | None:
    try:
        said: dict[str, Any] = msgspec.json.decode(line)
        partitions = tuple(sorted(map(int, said["covered"])))
        return Assigned(at=datetime.fromisoformat(said["timestamp"]).timestamp(), worker=said["instance"],
                        partitions=partitions)
    except (msgspec.DecodeError, KeyError):  # a line that a kill cut short
        return None
