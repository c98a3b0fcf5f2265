"""A small supervisor: starts services, restarts them when they crash, and leaves no process behind.

It is the one owner of a home: a lock on <home>/lock tells a living owner from a dead one, and processes.json names the
children that a killed owner left behind, for the next one to end.
"""

from __future__ import annotations

import fcntl
import signal
import threading
import time
from typing import TYPE_CHECKING, Self

import psutil

from automl_stream.local_stack.errors import AlreadyRunning, Ending, ServiceFailed, UnknownService
from automl_stream.local_stack.processes import (
    ProcessRecord,
    StackState,
    end_all,
    read_state,
    remove_state,
    resident_bytes,
    signal_group,
    write_state,
)
from automl_stream.local_stack.service import Child, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

POLL_SECONDS = 0.05
GRACE_SECONDS = {False: 6.0, True: 5.0}
"""How long services, then the infrastructure, have to stop: with what a kill takes, 15 s in all."""


class Supervisor:
    """Owner of the services of one home. Enter it as a context: leaving ends everything.

    Raises:
        AlreadyRunning: on entering, when another process owns the home.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.ending = threading.Event()
        self._children: dict[str, Child] = {}
        self._addresses: dict[str, str] = {}
        self._lock = threading.RLock()
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        self._owner = (self.home / "lock").open("w")
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._owner.close()
            state = read_state(self.home)
            pid = f" (pid {state.parent.pid})" if state else ""
            message = (
                f"A stack already runs in {self.home}{pid}: end it with `automl-stream down`, or choose another --home."
            )
            raise AlreadyRunning(message) from error
        if state := read_state(self.home):
            end_all(state.children, grace=GRACE_SECONDS[False])
        self._save()
        self._monitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, service: Service) -> None:
        """Launch a service and wait until it is ready."""
        self.launch(service)
        self.await_ready(service.name)

    def launch(self, service: Service, *, settled: bool = False) -> None:
        """Start a service without waiting.

        Unless ``settled``, a crash before it was first ready is not followed by a restart, but reported by await_ready.
        """
        with self._lock:
            child = self._children[service.name] = Child(service, self.home / "logs" / f"{service.name}.log")
            child.settled = settled
            child.spawn()
            self._save()

    def await_ready(self, name: str) -> None:
        """Wait until the service is ready, also again after a crash.

        Raises:
            ServiceFailed: it ended, or was not ready in time; the message ends with its last log lines.
            Ending: the supervisor was asked to end meanwhile.
        """
        child = self._child(name)
        deadline = time.monotonic() + child.service.ready_within
        while not (child.exit_code() is None and (child.service.ready is None or child.service.ready())):
            if child.exit_code() is not None and (child.given_up or not child.settled):
                raise ServiceFailed(_failure(child, f"ended with code {child.exit_code()}"))
            if time.monotonic() > deadline:
                raise ServiceFailed(_failure(child, f"was not ready within {child.service.ready_within:.0f} s"))
            if self.ending.wait(POLL_SECONDS):
                message = f"Stopped while {name} was starting."
                raise Ending(message)
        child.settled = True

    def wait(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait until asked to end; `meanwhile` is called again and again.

        A service that is given up takes no other with it, unless all stand on it.

        Raises:
            ServiceFailed: if Kafka or PostgreSQL is given up.
        """
        while not self.ending.wait(POLL_SECONDS):
            self.require(lambda service: service.infrastructure)
            meanwhile()

    def require(self, wanted: Callable[[Service], bool]) -> None:
        """Raise ServiceFailed if one of the wanted services is given up."""
        for child in list(self._children.values()):
            if child.given_up and wanted(child.service):
                raise ServiceFailed(_failure(child, f"ended with code {child.exit_code()} and was given up"))

    def stop(self, name: str) -> None:
        """End one service in good order, for good."""
        child = self._child(name)
        with self._lock:
            del self._children[name]
        self._end([child], GRACE_SECONDS[child.service.infrastructure])
        self._save()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a service's process group; what follows is up to its restart policy."""
        record = self._child(name).record
        if record and record.process():
            signal_group(record.pid, number)

    def is_alive(self, name: str) -> bool:
        """Return whether the service's process runs."""
        child = self._children.get(name)
        return child is not None and child.exit_code() is None

    def restarts(self, name: str) -> int:
        """Return how often the service was started again after a crash."""
        return self._child(name).restarts

    def pids(self) -> dict[str, int]:
        """Return the pid of each service that runs."""
        children = list(self._children.items())
        return {name: child.record.pid for name, child in children if child.record and child.exit_code() is None}

    def rss(self) -> dict[str, int]:
        """Return the resident bytes of each running service, its descendants included (shared pages count in each)."""
        return {name: resident_bytes(pid) for name, pid in self.pids().items()}

    def publish(self, addresses: Mapping[str, str]) -> None:
        """Put addresses on record for `status`. They must not contain secrets."""
        self._addresses = dict(addresses)
        self._save()

    def close(self) -> None:
        """End everything within 15 s: first what uses the infrastructure, then the infrastructure."""
        if self._owner.closed:
            return
        self.ending.set()
        self._monitor.join()
        for infrastructure in (False, True):
            wave = [child for child in self._children.values() if child.service.infrastructure == infrastructure]
            self._end(wave, GRACE_SECONDS[infrastructure])
        self._children.clear()
        remove_state(self.home)
        self._owner.close()

    def _child(self, name: str) -> Child:
        try:
            return self._children[name]
        except KeyError:
            message = f"There is no service {name!r}; there are {', '.join(self._children) or 'none'}."
            raise UnknownService(message) from None

    @staticmethod
    def _end(children: list[Child], grace: float) -> None:
        end_all([child.record for child in children if child.record], grace)
        for child in children:
            child.exit_code()  # reaps it

    def _watch(self) -> None:
        while not self.ending.wait(POLL_SECONDS):
            with self._lock:
                restarted = [child.look_after() for child in self._children.values()]
                if any(restarted):
                    self._save()

    def _save(self) -> None:
        with self._lock:
            children = tuple(child.record for child in self._children.values() if child.record)
            parent = ProcessRecord.of("automl-stream", psutil.Process().pid)
            write_state(self.home, StackState(parent=parent, children=children, addresses=self._addresses))


def _failure(child: Child, what: str) -> str:
    return f"{child.service.name} {what}; the end of {child.log}:\n{child.last_lines()}"


def end_stack(home: Path) -> bool:
    """End the stack of a home from another process: its parent, then what a killed parent left; False if none ran.

    A parent has 20 s, more than it needs, before it is killed.
    """
    state = read_state(home)
    if state is None:
        return False
    parent = state.parent.process()
    found = parent is not None or any(child.process() for child in state.children)
    if parent:
        parent.terminate()
        _, alive = psutil.wait_procs([parent], timeout=20)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=1)
    with Supervisor(home):  # ends what is left, and forgets the state
        return found
