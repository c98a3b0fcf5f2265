"""What a run plays on: brokers, a pipeline, events and workers, and what is done to whom."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import KafkaException

from automl_stream.topic_log import KafkaUnavailable
from schemas.topics import EVENTS, topic_name
from tests.chaos.brokers import Brokers
from tests.chaos.fleet import Fleet, log_end
from tests.chaos.flow import SPACING_MS, START, Flow, event
from tests.chaos.oracle import Verdict, judge, write_times
from tests.chaos.recovery import Hit, Outage, longest_gap, p95, recoveries
from tests.chaos.schedule import Fault
from tests.live import Live
from tests.tiny import definition

PARTITIONS = 6  # a multiple of two and of three workers: of four, Faust may give two each to two, and none to the third
TICK_SECONDS = 0.05
FAULT_PATIENCE_SECONDS = 45.0  # a worker that does not get to work is hit all the same
STALL_SECONDS = 180.0
DRAIN_SECONDS = 240.0

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Stage:
    """Who is there, and what was done."""

    brokers: Brokers
    live: Live
    flow: Flow
    fleet: Fleet
    seed: int
    hits: list[Hit] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    done: list[Fault] = field(default_factory=list)

    def play(self, faults: Sequence[Fault], events: int = 0) -> None:
        """Every fault at its time, as soon as its worker works; returns when all are over and `events` are sent.

        The clock of the schedule stands while nobody works, so that on a slow machine, too, faults hit who is at work.
        """
        elapsed, waiting, looked = 0.0, list(faults), time.monotonic()
        idle_since = looked
        while waiting or self.flow.sent < events:
            self._tick()
            now, before = time.monotonic(), looked
            looked = now
            if any(map(self.fleet.working, range(self.fleet.count))):
                elapsed, idle_since = elapsed + now - before, now
            assert now - idle_since < STALL_SECONDS, f"nobody got to work for {STALL_SECONDS:.0f} s\n{self.logs()}"
            for fault in [fault for fault in waiting if fault.at <= elapsed]:
                if self._ready(fault, elapsed - fault.at):
                    self._do(fault)
                    waiting.remove(fault)
            time.sleep(TICK_SECONDS)

    def logs(self) -> str:
        """The end of what the workers said."""
        return log_end(self.live.log("score"))

    def drain(self, seconds: float = DRAIN_SECONDS) -> bool:
        """End the flow and the replay; whether the workers then cover everything in time."""
        self.flow.stop()
        self.live.end_replay(START + self.flow.sent * SPACING_MS)
        return self.until(self.live.covered, seconds)

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether something became true in time, while the workers are looked after; no answer is a no."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._tick()
            with contextlib.suppress(KafkaException, KafkaUnavailable):
                if condition():
                    return True
            time.sleep(TICK_SECONDS * 5)
        return False

    def _tick(self) -> None:
        self.fleet.tick()
        if self.outages and self.outages[-1].end is None and self.brokers.serving():
            start, end = self.outages[-1].start, time.time()
            self.outages[-1] = Outage(start=start, end=end)
            log.info("the broker was away for %.1f s", end - start)

    def _ready(self, fault: Fault, late: float) -> bool:
        if fault.kind == "broker":
            return not self.outages or self.outages[-1].end is not None
        patient = late <= FAULT_PATIENCE_SECONDS
        return self.fleet.working(fault.worker, fault.settled) if patient else self.fleet.alive(fault.worker)

    def _do(self, fault: Fault) -> None:
        log.info("%s", fault)
        if fault.kind == "broker":
            self.outages.append(Outage(start=time.time()))
            self.brokers.kill()
            self.brokers.start()
        else:
            if fault.kind != "leave":
                self.hits.append(Hit(at=time.time(), worker=str(fault.worker)))
            act = {"kill": self.fleet.kill, "zombie": self.fleet.freeze, "leave": self.fleet.leave}[fault.kind]
            act(fault.worker, fault.away)
        self.done.append(fault)

    def verdict(self) -> tuple[Verdict, float, float, float]:
        """What the oracle says of every partition; recovery (95th percentile and longest) and the longest gap."""
        total, written = Verdict(), {}
        for partition, bounds in self.live.bounds(EVENTS).items():
            reading = self.live.reading({partition: bounds})
            values = {(partition, offset): event(self.seed, k)
                      for offset, k in self.flow.acknowledged(partition).items()}
            total += judge(reading, values)
            written |= write_times(reading)
        found = recoveries(self.hits, self.fleet.assigned, written, self.outages)
        return total, p95(found), max(found, default=0.0), longest_gap(written)


@contextlib.contextmanager
def stage(brokers: Brokers, directory: Path, workers: int, seed: int, module: str | None = None) -> Iterator[Stage]:
    """Four partitions with a model, and workers that have them."""
    live = Live(brokers.kafka, directory,
                lambda name: definition(name).replace("partitions = 2", f"partitions = {PARTITIONS}"))
    flow = Flow(brokers.kafka, topic_name(live.name, EVENTS), PARTITIONS, seed)
    fleet = Fleet(live=live, count=workers, module=module)
    try:
        live.announce(1.0, -1)
        fleet.start()
        yield Stage(brokers=brokers, live=live, flow=flow, fleet=fleet, seed=seed)
    finally:
        flow.close()
        live.close()
