"""The recorder draining a backlog of predictions into PostgreSQL.

Run: python -m bench.recorder [--quick] [--json] [--write]
"""

import time
from argparse import Namespace
from collections.abc import Iterator
from statistics import median

import msgspec
import psycopg
from psycopg import sql

from automl_stream.group_commits import committed
from bench.lab import BenchPipeline, Lab, open_lab, usage
from bench.result import Machine, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from bench.workload import CLASSES, START_MS
from schemas.codec import encode
from schemas.messages import Model, Prediction
from schemas.topics import PREDICTIONS, topic_name

FEATURES, PARTITIONS = 8, 4
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 180.0
FIRST_SHARE = 0.1  # start-up is not timed


def predictions(count: int) -> Iterator[tuple[bytes, bytes]]:
    """(key, JSON) of predictions as our worker writes them, of one day."""
    row = Prediction(
        event_id="", entity="", ts=0, source="", source_day="2026-01-01", pipeline_digest="0" * 64,
        model=Model(version="1", digest="0" * 64, epoch=0), prediction=CLASSES[1], score=0.7310586,
        probabilities=[0.2689414, 0.7310586], features=[0.12345 * j for j in range(FEATURES)], scored_at=START_MS)
    for k in range(count):
        entity = f"entity-{k % 1_000}"
        yield entity.encode(), encode(msgspec.structs.replace(
            row, event_id=f"e{k}", entity=entity, ts=START_MS + k, source=f"c2FtZSBmb3IgYWxsIQ-{k % PARTITIONS}-{k}"))


class Progress:
    """Offsets that the recorder has committed: rows that PostgreSQL has confirmed."""

    def __init__(self, lab: Lab, pipeline: BenchPipeline) -> None:
        topic = topic_name(pipeline.name, PREDICTIONS)
        self._asked = lab.kafka, f"{pipeline.name}.record", [(topic, p) for p in range(PARTITIONS)]

    def rows(self) -> int:
        """Committed so far."""
        return sum(committed(*self._asked).values())


def one_round(lab: Lab, backlog: list[tuple[bytes, bytes]]) -> tuple[float, float]:
    """Rows a second from the first tenth to the last row, and CPU microseconds a row of the service alone.

    Raises:
        RuntimeError: when it takes too long, or the table does not hold every row.
    """
    if lab.database_url is None:
        raise RuntimeError("the lab has no PostgreSQL")
    with lab.pipeline(features=FEATURES, partitions=PARTITIONS) as pipeline:
        pipeline.produce(topic_name(pipeline.name, PREDICTIONS), backlog)
        process = pipeline.start("record", DATABASE_URL=lab.database_url)
        committed, samples = Progress(lab, pipeline), [(time.perf_counter(), 0)]
        deadline = samples[0][0] + PATIENCE_SECONDS
        while samples[-1][1] < len(backlog):
            time.sleep(POLL_SECONDS)
            if process.poll() is not None or time.perf_counter() > deadline:
                raise RuntimeError(f"{samples[-1][1]} of {len(backlog)} rows\n{pipeline.tails()}")
            if (rows := committed.rows()) > samples[-1][1]:
                samples.append((time.perf_counter(), rows))
        cpu = usage(process.pid).cpu_seconds
        pipeline.stop([process])
        found = stored(lab.database_url, pipeline.name)
    if found != len(backlog):
        raise RuntimeError(f"the table holds {found} of {len(backlog)} rows")
    last, total = samples[-1]
    first, done = next(sample for sample in samples if sample[1] >= FIRST_SHARE * total)
    return (total - done) / (last - first), cpu / total * 1e6


def stored(url: str, schema: str) -> int:
    """Rows in the table, which is dropped then."""
    name = sql.Identifier(schema)
    with psycopg.connect(url) as connection:
        row = connection.execute(sql.SQL("select count(*) from {}.predictions").format(name)).fetchone()
        connection.execute(sql.SQL("drop schema {} cascade").format(name))
    return row[0] if row else 0


def describe(rounds: list[tuple[float, float]], count: int, machine: Machine) -> Result:
    """The stored result."""
    figures = {"rows_per_s": median(rate for rate, _ in rounds), "cpu_us": median(cpu for _, cpu in rounds)}
    table = Table(
        title="Recorder into PostgreSQL", columns=("rows", "rows/s", "slowest round", "CPU us a row, start-up too"),
        rows=[(count, figures["rows_per_s"], min(rate for rate, _ in rounds), figures["cpu_us"])],
        note=f"Medians of {len(rounds)} rounds; {FEATURES} features, {PARTITIONS} partitions; the backlog waits in "
             "Kafka, rows count once Kafka holds the commit that follows PostgreSQL's.")
    return Result(
        name="recorder", title="Recorder", command=command_line("recorder"), measured_at=today(),
        machine=machine, figures=figures, tables=[table],
        summary=f"One recorder stores {figures['rows_per_s']:,.0f} predictions a second.",
        raw={"rows_per_s": [rate for rate, _ in rounds], "cpu_us": [cpu for _, cpu in rounds]})


def read_options() -> Namespace:
    """The command line."""
    parser = arguments("recorder", "The recorder draining predictions into PostgreSQL.")
    parser.add_argument("--rows", type=int, help="backlog of a round (1,000,000; quick: 200,000)")
    parser.add_argument("--rounds", type=int, help="(3; quick: 2)")
    return parser.parse_args()


def main() -> None:
    """Measure and report."""
    options = read_options()
    count, rounds = options.rows or (200_000 if options.quick else 1_000_000), options.rounds or 3 - options.quick
    found = []
    machine = describe_machine("Apache Kafka 4.4.0 and PostgreSQL, same machine")  # now: its load is told
    with open_lab(postgres=True) as lab, progress(silent=options.json) as bar:
        backlog = list(predictions(count))
        for _ in bar.track(range(rounds), description="recorder"):
            found.append(one_round(lab, backlog))
            say(f"{found[-1][0]:,.0f} rows/s, {found[-1][1]:.1f} us CPU a row")
    finish(describe(found, count, machine), options)


if __name__ == "__main__":
    main()
