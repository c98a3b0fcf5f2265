"""The shape of the deployment changes nothing: windows, reports and alerts are functions of the events.

The same events, out of order within the lateness, on 1, 3 and 12 partitions, by 1, 2 and 4 workers, with and without
kills of workers and monitor. Run: python -m tests.chaos.shapes [--full] [--json]
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import DriftAlert, DriftReport, PartitionWatermark, WindowCounts, derived_id
from schemas.topics import DRIFT_ALERTS, DRIFT_STATS, EVENTS, PREDICTIONS, WINDOW_COUNTS
from tests.chaos.command import run_alone
from tests.live import Live, differences
from tests.tiny import LATENESS, SIZE, definition, event_bytes

START = 946_684_800_000
ROWS_A_WINDOW = 200
SEED = 4
PATIENCE_SECONDS = 180.0

Keyed = tuple[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A deployment. `kills`: how often a worker and the monitor die among the events and are started again."""

    partitions: int
    workers: int
    kills: int


ALL_SHAPES = [Shape(partitions=p, workers=w, kills=k) for p, w, k in product((1, 3, 12), (1, 2, 4), (0, 3))]
SOME_SHAPES = [Shape(partitions=1, workers=1, kills=0), Shape(partitions=3, workers=2, kills=1),
               Shape(partitions=12, workers=4, kills=0)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What must not depend on the shape: counts by window, summed over partitions; reports and alerts in order."""

    windows: dict[int, tuple[int, list[int]]]
    reports: list[dict[str, Any]]
    alerts: list[dict[str, Any]]


class Figures(Struct, frozen=True, kw_only=True):
    """What was compared. `repeats`: predictions that kills made again."""

    rows: int
    shapes: int
    kills: int
    repeats: int
    windows: int
    reports: int
    alerts: int
    identical: bool


def disordered(rows: int, seed: int) -> Iterator[Keyed]:
    """Entity and event. Each event is at most the lateness behind the newest of all before it, so late in no
    partition; `a` moves after six tenths."""
    chance = random.Random(seed)
    for k in range(rows):
        ts = START + k * SIZE // ROWS_A_WINDOW - chance.randint(0, LATENESS)
        a = chance.gauss(1.5 if k > rows * 0.6 else 0.0, 1.0)
        entity = f"n{chance.randrange(97)}"
        yield entity, event_bytes(f"e{k}", ts, a=a, b=chance.gauss(0, 1), c=chance.choice("xy"))


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Play the same rows to every shape and compare with the first.

    Raises:
        AssertionError: where a shape's outcome differs, or a recount does.
    """
    events = list(disordered(40_000 if full else 6_000, SEED))
    expected: Outcome | None = None
    shapes, repeats = ALL_SHAPES if full else SOME_SHAPES, 0
    for shape in shapes:
        live = Live(kafka, directory, lambda name, shape=shape: defined(name, shape))
        found, again = play(live, shape, events)
        repeats += again
        expected = expected or found
        assert found.windows == expected.windows, f"other counts with {shape}"
        assert found.reports == expected.reports, f"other reports with {shape}"
        assert found.alerts == expected.alerts, f"other alerts with {shape}"
    assert expected is not None
    assert sum(rows for rows, _ in expected.windows.values()) == len(events)
    assert expected.alerts
    assert len(expected.reports) == len(expected.windows)
    return Figures(rows=len(events), shapes=len(shapes), kills=2 * sum(shape.kills for shape in shapes),
                   repeats=repeats, windows=len(expected.windows), reports=len(expected.reports),
                   alerts=len(expected.alerts), identical=True)


def defined(name: str, shape: Shape) -> str:
    """The tiny pipeline with as many partitions as the shape has."""
    return definition(name).replace("partitions = 2", f"partitions = {shape.partitions}")


def play(live: Live, shape: Shape, events: list[Keyed]) -> tuple[Outcome, int]:
    """One shape's outcome, and how many predictions were made again."""
    chance = random.Random(SEED)
    try:
        live.announce(1.0, -1)
        monitor = live.start("monitor")
        workers = [live.start("score", instance=str(k)) for k in range(shape.workers)]
        live.until(lambda: len(assigned(live)) == shape.workers, "every worker in the group", PATIENCE_SECONDS)
        size = -(-len(events) // (shape.kills + 1))
        for start in range(0, len(events), size):
            before = live.count(PREDICTIONS)
            write(live, shape, events[start : start + size])
            live.until(lambda before=before: live.count(PREDICTIONS) > before, "predictions of the block",
                       PATIENCE_SECONDS)
            if start + size < len(events):
                victim = chance.randrange(shape.workers)
                live.kill(workers[victim])
                workers[victim] = live.start("score", instance=str(victim))
                live.kill(monitor)
                monitor = live.start("monitor")
        live.end_replay(START + len(events) * SIZE // ROWS_A_WINDOW)
        live.until(live.covered, "all events to be covered", PATIENCE_SECONDS)
        windows = counted(live)
        live.until(lambda: len({r.window_start for r in reports(live)}) == len(windows), "a report of each window",
                   PATIENCE_SECONDS)
        reading = live.reading()
        assert differences(reading) == [], shape
        return outcome(live, windows), live.count(PREDICTIONS) - len(events)
    finally:
        live.close()


def assigned(live: Live) -> set[str]:
    """Instances of the score service that have been told their partitions."""
    lines = live.log("score").read_bytes().splitlines()
    found = [msgspec.json.decode(line) for line in lines if line.startswith(b"{") and b'"partitions assigned"' in line]
    return {line["instance"] for line in found}


def write(live: Live, shape: Shape, events: list[Keyed]) -> None:
    """An entity keeps its partition, so its order."""
    for partition in range(shape.partitions):
        mine = [value for entity, value in events if crc32(entity.encode()) % shape.partitions == partition]
        if mine:
            live.write(EVENTS, partition, *mine, key=b"k")


def counted(live: Live) -> dict[int, tuple[int, list[int]]]:
    """Rows and counts of each window, summed over the partitions; of equal keys the first counts."""
    first: dict[tuple[int, int, int], WindowCounts] = {}
    for record in live.records(WINDOW_COUNTS):
        message: Any = decode(record.value or b"", WindowCounts | PartitionWatermark)  # type: ignore[arg-type]
        if isinstance(message, WindowCounts):
            first.setdefault((message.partition, message.window.start, message.window.profile_epoch), message)
    total: dict[int, tuple[int, list[int]]] = {}
    for (_, start, _), message in sorted(first.items()):
        rows, counts = total.get(start, (0, [0] * len(message.window.counts)))
        total[start] = (rows + message.window.rows,
                        [a + b for a, b in zip(counts, message.window.counts, strict=True)])
    return dict(sorted(total.items()))


def reports(live: Live) -> list[DriftReport]:
    """Everything on `drift-stats`."""
    return [decode(record.value or b"", DriftReport) for record in live.records(DRIFT_STATS)]


def outcome(live: Live, windows: dict[int, tuple[int, list[int]]]) -> Outcome:
    """Without what names partitions, offsets or the pipeline."""
    said: dict[int, dict[str, Any]] = {}
    for report in reports(live):
        apart = without(report, "covered", "pipeline_digest")
        assert said.setdefault(report.window_start, apart) == apart, "two reports of one window differ"
    alerts: dict[str, dict[str, Any]] = {}
    for record in live.records(DRIFT_ALERTS):
        alert = decode(record.value or b"", DriftAlert)
        assert alert.alert_id == derived_id(live.name, alert.profile, alert.kind, alert.window_start)
        apart = without(alert, "alert_id")
        assert alerts.setdefault(alert.alert_id, apart) == apart, "two alerts of one id differ"
    return Outcome(windows=windows, reports=list(said.values()), alerts=list(alerts.values()))


def without(message: Struct, *names: str) -> dict[str, Any]:
    """A message as plain values, some fields left out."""
    return {name: value for name, value in msgspec.to_builtins(message).items() if name not in names}


if __name__ == "__main__":
    run_alone(run)
