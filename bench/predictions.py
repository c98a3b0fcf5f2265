"""The prediction API under open-loop load over 50 connections, beside two services that only predict, in turns.

Ours tokens, limits and Kafka's acknowledgement included; the peers (bench/contenders/predict_*.py) hold the same model
and do nothing else. Part of `python -m bench.http`.
"""

import pickle
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from subprocess import Popen
from urllib.error import URLError
from urllib.request import Request, urlopen

from automl_stream.local_stack.ports import LOOPBACK
from bench.http_load import drive, post
from bench.lab import BenchPipeline, Lab
from bench.latency import warm_the_broker
from bench.open_loop import OpenLoopError, Schedule, percentiles
from bench.race import OURS
from bench.result import Table, say
from bench.workload import START_MS

FEATURES, PARTITIONS = 8, 4
SINGLES, BATCHES, ROWS = 200, 20, 100  # requests a second; rows of a batch
TOKEN = "a-token-of-the-bench"  # noqa: S105 - of a door on loopback, for a minute
WARM_UP = 3.0  # seconds at the head of each load
START_SECONDS = 60.0
HTTP_OK = 200
PEERS = ("litestar", "fastapi")
Rounds = dict[str, dict[str, list[dict[str, float]]]]
"""Contender, load, round: percentiles in ms."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a contender is asked."""

    name: str
    port: int
    one: str
    many: str

    def requests(self, bodies: Sequence[bytes], path: str) -> list[bytes]:
        """Requests with these bodies."""
        return [post(path, body, [("Authorization", f"Bearer {TOKEN}")]) for body in bodies]


def measure(lab: Lab, rounds: int, seconds: float) -> Rounds:
    """Every contender under both loads, round by round in turns.

    Raises:
        OpenLoopError: when a request is not answered, or not with 200.
    """
    singles = Schedule(rate=SINGLES, seconds=WARM_UP + seconds)
    batches = Schedule(rate=BATCHES, seconds=WARM_UP + seconds)
    warm_the_broker(lab, PARTITIONS)
    found: Rounds = {name: {"one": [], "many": []} for name in (OURS, *PEERS)}
    with lab.pipeline(features=FEATURES, partitions=PARTITIONS) as pipeline:
        processes, doors = pipeline.start_workers(1), []
        events = [value for _, value in lab.events(FEATURES, singles.count + batches.count * ROWS, start_ms=START_MS)]
        many = [b"[" + b",".join(events[first:first + ROWS]) + b"]"
                for first in range(singles.count, len(events), ROWS)]
        try:
            for name in (OURS, *PEERS):
                process, door = _open(lab, pipeline, name)
                processes.append(process)
                doors.append(door)
                _await(door, events[0])
            for _ in range(rounds):
                for door in doors:
                    loads = {"one": (door.requests(events[:singles.count], door.one), singles),
                             "many": (door.requests(many, door.many), batches)}
                    for load, (requests, schedule) in loads.items():
                        found[door.name][load].append(_under(door, requests, schedule))
        finally:
            pipeline.stop(processes)
    return found


def _under(door: Door, requests: Sequence[bytes], schedule: Schedule) -> dict[str, float]:
    heard = drive(door.port, requests, schedule)
    if set(heard.statuses) != {HTTP_OK}:
        raise OpenLoopError(f"{door.name} answered {dict(heard.statuses)}")
    seen = percentiles(heard.latencies(WARM_UP))
    say(f"{door.name}: " + ", ".join(f"{name} {value:.1f}" for name, value in seen.items()))
    return seen


def _open(lab: Lab, pipeline: BenchPipeline, name: str) -> tuple[Popen[bytes], Door]:
    """A contender, started."""
    with socket.create_server((LOOPBACK, 0)) as unused:
        port: int = unused.getsockname()[1]
    if name == OURS:
        return pipeline.start("predict", AUTOML_STREAM_PREDICTION_PORT=str(port), AUTOML_STREAM_TOKENS=f"bench:{TOKEN}"
                              ), Door(name=name, port=port, one="/predict", many="/predict")
    trained = lab.model(pipeline)
    file = pipeline.file.with_suffix(f".{name}")
    file.write_bytes(trained.onnx if name == "litestar" else pickle.dumps(trained.fitted))
    process = Popen([sys.executable, "-m", f"bench.contenders.predict_{name}", str(port), str(file)],
                    cwd=Path(__file__).parents[1])
    return process, Door(name=name, port=port, one="/predict", many="/predict/batch")


def _await(door: Door, event: bytes) -> None:
    deadline = time.monotonic() + START_SECONDS
    request = Request(f"http://{LOOPBACK}:{door.port}{door.one}", event, {
        "Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"})
    while True:
        try:
            with urlopen(request, timeout=10):  # noqa: S310 - loopback
                return
        except (URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise OpenLoopError(f"{door.name} does not answer: {error}") from error
            time.sleep(0.1)


def figures(found: Rounds) -> dict[str, float]:
    """What `--json` prints of our API: medians of the rounds."""
    return {"predict_1_p99_ms": median(seen["p99_ms"] for seen in found[OURS]["one"]),
            "predict_100_p99_ms": median(seen["p99_ms"] for seen in found[OURS]["many"])}


def table(found: Rounds, seconds: float) -> Table:
    """Both loads, contender by contender."""
    loads = {"one": f"{SINGLES}/s, single", "many": f"{BATCHES}/s of {ROWS} rows"}
    rows: list[tuple[str | float | None, ...]] = [
        (text, name, *(median(seen[percentile] for seen in found[name][load])
                       for percentile in ("p50_ms", "p99_ms", "p999_ms")))
        for load, text in loads.items() for name in found]
    note = (f"Open loop over 50 connections, {seconds:g} s a round, medians. Ours waits for Kafka's acknowledgement, "
            "and a score worker scores every event again on the same machine; the peers only predict.")
    return Table(title="Prediction API, ms from due to answered", columns=("load", "", "p50", "p99", "p99.9"),
                 rows=rows, note=note)
