"""One run: the faults of a schedule, and the verdict on what is left."""

import logging
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from automl_stream.verify.difference import Difference
from tests.chaos.brokers import Brokers
from tests.chaos.schedule import Fault, Plan
from tests.chaos.stage import DRAIN_SECONDS, STALL_SECONDS, stage

RECOVERY_SECONDS = 30.0
GOOD_ENDS = {0, -signal.SIGTERM}  # the latter of who was only just starting

log = logging.getLogger(__name__)


class Outcome(Struct, frozen=True, kw_only=True):
    """A run and its verdict. `crashes`: workers that ended by themselves; `repeat_share`: further predictions and dead
    letters of the same sources, by event; `drained`: all was covered in time after the last fault; `unclean_stops`:
    workers that did not end in good order when asked. Recovery: from a kill or freeze to the next prediction of each
    partition that the worker had, less the time that the broker was away; gap: the longest time without a prediction in
    any partition, whatever the cause."""

    seed: int
    rows: int
    kills: int
    zombies: int
    broker_restarts: int
    leaves: int
    lost: int
    repeat_share: float
    conflicting: int
    counts_exact: bool
    differences: int
    crashes: int
    drained: bool
    unclean_stops: int
    recovery_p95_seconds: float
    recovery_max_seconds: float
    longest_gap_seconds: float
    seconds: float
    first_differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Nothing lost, conflicting or otherwise not as it must be, and all counts exact."""
        return self.drained and not self.differences

    @property
    def quick(self) -> bool:
        """Whether recovery took no longer than it may."""
        return self.recovery_p95_seconds <= RECOVERY_SECONDS


def run(plan: Plan, faults: Sequence[Fault], directory: Path, seed: int) -> Outcome:
    """Play a schedule on a broker of its own, in `directory`, and judge."""
    started = time.monotonic()
    with Brokers(directory / "kafka") as brokers, stage(brokers, directory, plan.workers, seed) as found:
        assert found.until(lambda: all(map(found.fleet.working, range(plan.workers))), STALL_SECONDS), found.logs()
        found.flow.start(plan.rate)
        found.play(faults, plan.events)
        log.info("%s events, every fault is over: draining", found.flow.sent)
        drained = found.drain()
        log.info("drained" if drained else "not drained in time")
        codes = found.fleet.stop()
        log.info("the workers ended with %s: judging", codes)
        if not drained:
            log.error("not everything was covered within %s s; the end of the workers' log:\n%s", DRAIN_SECONDS,
                      found.logs())
        verdict, recovery, longest, gap = found.verdict()

        def count(kind: str) -> int:
            return sum(fault.kind == kind for fault in found.done)

        return Outcome(
            seed=seed, rows=verdict.rows, kills=count("kill"), zombies=count("zombie"),
            broker_restarts=count("broker"), leaves=count("leave"), lost=verdict.lost,
            repeat_share=round(verdict.repeats / max(verdict.rows, 1), 4), conflicting=verdict.conflicting,
            counts_exact=verdict.counts_exact, differences=verdict.differences, crashes=found.fleet.crashes,
            drained=drained, unclean_stops=sum(code not in GOOD_ENDS for code in codes),
            recovery_p95_seconds=round(recovery, 2), recovery_max_seconds=round(longest, 2),
            longest_gap_seconds=round(gap, 2), seconds=round(time.monotonic() - started, 1),
            first_differences=verdict.first)
