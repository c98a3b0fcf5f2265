"""The ingestion API under load over 50 connections: singly in an open loop, and in batches as fast as it takes them.

Every request is answered once Kafka has acknowledged its events, each of which is sent for the first time. Part of
`python -m bench.http`.
"""

import socket
import time
from statistics import median
from subprocess import Popen
from urllib.error import URLError
from urllib.request import urlopen

from automl_stream.local_stack.ports import LOOPBACK
from bench.http_load import CONNECTIONS, Heard, drive, post
from bench.lab import BenchPipeline, Lab
from bench.open_loop import OpenLoopError, Schedule, percentiles
from bench.result import Table, say

FEATURES, PARTITIONS = 8, 4
SINGLES, ROWS = 200, 100  # requests a second; events of a batch
AT_ONCE = 10_000  # batches a second: more than any door takes, so that each connection always has its next
BATCHES_PER_SECOND = 50  # of the planned time: how many there are
TOKEN = "a-token-of-the-bench"  # noqa: S105 - of a door on loopback, for a minute
WARM_UP = 3.0  # seconds at the head of the singles
START_SECONDS = 60.0
HTTP_OK = 200
Round = dict[str, float]
"""Percentiles of singles in ms, and events a second in batches."""


def measure(lab: Lab, rounds: int, seconds: float) -> list[Round]:
    """Round by round, singles and then batches.

    Raises:
        OpenLoopError: when a request is not answered, or not with 200.
    """
    singles = Schedule(rate=SINGLES, seconds=WARM_UP + seconds)
    batches = Schedule(rate=AT_ONCE, seconds=BATCHES_PER_SECOND * seconds / AT_ONCE)
    with lab.pipeline(features=FEATURES, partitions=PARTITIONS) as pipeline:
        process, port = _open(pipeline)
        try:
            return [_round(lab, port, number, singles, batches) for number in range(rounds)]
        finally:
            pipeline.stop([process])


def _round(lab: Lab, port: int, number: int, singles: Schedule, batches: Schedule) -> Round:
    """A round's events have a seed of their own: what is known already is not sent again."""
    events = [value for _, value in lab.events(FEATURES, singles.count + batches.count * ROWS, seed=number + 1)]
    one = _under(port, "/events", events[:singles.count], singles)
    many = _under(port, "/events/batch", [b"[" + b",".join(events[first:first + ROWS]) + b"]"
                                          for first in range(singles.count, len(events), ROWS)], batches)
    seen = percentiles(one.latencies(WARM_UP)) | {
        "events_per_s": batches.count * ROWS / float(many.arrived.max() - many.sent.min())}
    say("ingestion: " + ", ".join(f"{name} {value:,.1f}" for name, value in seen.items()))
    return seen


def _under(port: int, path: str, bodies: list[bytes], schedule: Schedule) -> Heard:
    heard = drive(port, [post(path, body, [("Authorization", f"Bearer {TOKEN}")]) for body in bodies], schedule)
    if set(heard.statuses) != {HTTP_OK}:
        raise OpenLoopError(f"the ingestion API answered {dict(heard.statuses)}")
    return heard


def _open(pipeline: BenchPipeline) -> tuple[Popen[bytes], int]:
    with socket.create_server((LOOPBACK, 0)) as unused:
        port: int = unused.getsockname()[1]
    process = pipeline.start("ingestion", module="producers.api", AUTOML_STREAM_INGESTION_PORT=str(port),
                             AUTOML_STREAM_TOKENS=f"bench:{TOKEN}")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=10):
                return process, port
        except (URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise OpenLoopError(f"the ingestion API does not answer: {error}\n{pipeline.tails()}") from error
            time.sleep(0.1)


def figures(found: list[Round]) -> dict[str, float]:
    """What `--json` prints: medians of the rounds."""
    return {"ingest_1_p99_ms": median(seen["p99_ms"] for seen in found),
            "ingest_batch_per_s": median(seen["events_per_s"] for seen in found)}


def table(found: list[Round], seconds: float) -> Table:
    """Both loads."""
    one = [median(seen[name] for seen in found) for name in ("p50_ms", "p99_ms", "p999_ms")]
    rows: list[tuple[str | float | None, ...]] = [
        (f"{SINGLES}/s, single", *one, float(SINGLES)),
        (f"batches of {ROWS}", None, None, None, figures(found)["ingest_batch_per_s"])]
    note = (f"Over {CONNECTIONS} connections, medians of {len(found)} rounds; singles in an open loop for {seconds:g} "
            "s, batches as fast as they are taken. 200 is answered once Kafka has acknowledged every event.")
    return Table(title="Ingestion API, ms from due to acknowledged",
                 columns=("load", "p50", "p99", "p99.9", "events/s"), rows=rows, note=note)
