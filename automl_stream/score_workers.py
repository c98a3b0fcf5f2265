"""Score workers that come and go while the stack runs: `up` follows what `scale` wants."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from automl_stream.local_stack.errors import LocalStackError, NothingToScale, ServiceFailed, UnknownService
from automl_stream.local_stack.processes import read_state
from automl_stream.local_stack.prometheus import remove_target
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.local_stack.wanted import read_wanted, start_wanted, write_wanted
from automl_stream.services import PipelineServices

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05

Say = Callable[[str], None]


class ScoreWorkers:
    """The side of `up`: starts and ends workers until there are as many as the home's files want."""

    def __init__(self, supervisor: Supervisor, launched: Sequence[PipelineServices], workers: int, say: Say) -> None:
        self._supervisor = supervisor
        self._services = {services.pipeline.name: services for services in launched}
        self._running = dict.fromkeys(self._services, workers)
        self._say = say
        start_wanted(supervisor.home, self._running)

    def settle(self) -> None:
        """Take one step towards what is wanted, if it is not so yet; the newest worker goes first."""
        for name, wanted in read_wanted(self._supervisor.home).items():
            running = self._running[name]
            if wanted > running:
                self._start(name, running)
            elif wanted < running:
                self._supervisor.stop(worker := f"{name}-score-{running - 1}")
                remove_target(self._supervisor.home, worker)
                self._running[name] -= 1

    def _start(self, name: str, number: int) -> None:
        services = self._services[name]
        try:
            services.launch(self._supervisor, services.score_worker(number))
        except (LocalStackError, OSError) as error:
            # The stack goes on with the workers it has, and `scale` sees that nobody wants more any longer.
            self._say(f"{name} stays at {number} score workers: {error}")
            write_wanted(self._supervisor.home, name, number)
        else:
            self._running[name] += 1

    def close(self) -> None:
        """Nobody follows any more."""
        start_wanted(self._supervisor.home, {})


def scale(home: Path, pipeline: str, workers: int) -> None:
    """Let the stack of `home` run so many score workers of a pipeline; returns when it does.

    Raises:
        NothingToScale: when no `up` runs in this home.
        UnknownService: when it does not run this pipeline.
        ServiceFailed: when it cannot, or takes too long.
    """
    _require_up(home)
    known = read_wanted(home)
    if pipeline not in known:
        raise UnknownService(f"The stack in {home} has no pipeline {pipeline!r} that can be scaled; "
                             f"there are {', '.join(sorted(known)) or 'none: only those of `automl-stream up` can'}.")
    write_wanted(home, pipeline, workers)
    wanted = {f"{pipeline}-score-{number}" for number in range(workers)}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _running(home, pipeline) != wanted:
        _require_up(home)
        if read_wanted(home).get(pipeline) != workers:
            raise ServiceFailed(f"The stack in {home} cannot run {workers} score workers of {pipeline}, or was asked "
                                "for another number meanwhile; the terminal of `automl-stream up` says which.")
        if time.monotonic() > deadline:
            raise ServiceFailed(f"{pipeline} did not come to {workers} score workers within {PATIENCE_SECONDS:.0f} s; "
                                "`automl-stream status` shows what runs, `automl-stream logs` why.")
        time.sleep(POLL_SECONDS)


def _require_up(home: Path) -> None:
    state = read_state(home)
    if state is None or state.parent.process() is None:
        raise NothingToScale(f"Nothing runs in {home}; start it with `automl-stream up`, or choose another --home.")


def _running(home: Path, pipeline: str) -> set[str]:
    state = read_state(home)
    children = state.children if state else ()
    return {child.name for child in children if child.name.startswith(f"{pipeline}-score-") and child.process()}
