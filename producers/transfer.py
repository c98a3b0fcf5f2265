"""The composition root: a file or a scenario, a pipeline and a broker, with a progress bar on the terminal."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kafka_access.access import KafkaAccess
from producers.errors import UnusableFile
from producers.files import Table, file_digest, file_rows, write_table
from producers.pace import Pace
from producers.replay import ReplaySettings, ReplaySummary, replay
from producers.resume import Confirmed, run_name, unfinished
from producers.rows import Row
from producers.scenarios.scenario import Columns, Scenario, blocks, generate, truth
from schema_registry.events import event_codec
from schemas.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What a user asks for. `rate` in events a second; `label_delay` in rows."""

    kafka: KafkaAccess
    rate: float | None = None
    labels: bool = True
    label_delay: int = 0
    from_row: int = 0
    resume: bool = False


def send_file(table: Table, pipeline: Pipeline, transfer: Transfer) -> ReplaySummary:
    """Replay a file.

    Raises:
        ProducerError: see its kinds.
    """
    if transfer.from_row >= table.rows:
        raise UnusableFile(f"{table.path}: --from-row {transfer.from_row} lies behind its last row {table.rows - 1}")
    rows = file_rows(table, pipeline, transfer.from_row, labels=transfer.labels)
    source = f"{file_digest(table.path)[:12]}.{transfer.from_row}.{transfer.label_delay}"
    return _send(rows, table.rows - transfer.from_row, source, pipeline, transfer)


def send_scenario(plan: Scenario, pipeline: Pipeline, transfer: Transfer) -> ReplaySummary:
    """Generate a scenario straight into Kafka.

    Raises:
        ProducerError: see its kinds.
    """
    return _send(generate(plan, pipeline), plan.rows, f"{plan.name}.{plan.seed}", pipeline, transfer)


def write_scenario(plan: Scenario, path: Path) -> Path:
    """Write a scenario's rows to `path` and its truth beside them; returns the path of the truth.

    Raises:
        UnusableFile: when the ending is unknown or the folder is not there.
    """
    columns: Columns = {}
    for _, block in blocks(plan):
        for name, values in block.items():
            columns.setdefault(name, []).extend(values)
    write_table(path, columns)
    beside = path.with_name(f"{path.name.partition('.')[0]}.truth.json")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(truth(plan)), indent=1))
    return beside


def _send(rows: Iterator[Row], total: int, source: str, pipeline: Pipeline, transfer: Transfer) -> ReplaySummary:
    codec = event_codec(pipeline, os.environ)
    fresh = Confirmed(run=run_name(source, _now_ms()))
    confirmed = unfinished(transfer.kafka, pipeline, source, codec) if transfer.resume else fresh
    settings = ReplaySettings(kafka=transfer.kafka, confirmed=confirmed, now_ms=_now_ms, labels=transfer.labels,
                              label_delay=transfer.label_delay, codec=codec)
    look = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"),
            TimeRemainingColumn())
    with Progress(*look, console=Console(stderr=True)) as progress:
        task = progress.add_task(pipeline.name, total=total)
        return replay(rows, pipeline, settings, Pace(transfer.rate, time.monotonic, time.sleep),
                      lambda done: progress.update(task, completed=done))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
