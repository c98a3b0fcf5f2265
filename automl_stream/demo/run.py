"""One demo run: stack, bootstrap, services, replay, and what came of it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from automl_stream.demo.lockstep import LockstepBarrier
from automl_stream.demo.outcome import Outcome, read_outcome
from automl_stream.local_stack.mlflow import reset_databases
from automl_stream.local_stack.ports import Ports
from automl_stream.local_stack.prometheus import launch_prometheus
from automl_stream.local_stack.stack import Addresses, start_infrastructure
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.services import launch_pipelines
from kafka_access.access import KafkaAccess
from producers.due_labels import label_problem
from producers.files import Table, file_rows, open_table
from producers.pace import Pace
from producers.replay import Lockstep, ReplaySettings, ReplaySummary, lockstep_rows, replay
from producers.resume import Confirmed, run_name
from producers.rows import Row, check_columns
from schema_registry.events import event_codec
from schemas.codec import canonical_label
from schemas.messages import LabelValue
from schemas.pipeline import Pipeline, load_pipeline

PIPELINE_FILE = "pipeline.toml"
BESIDE = {"mlflow", "prometheus"}  # the loop goes on without them

Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demo cannot go on; the message says where and what to do."""


class DemoPlan(Struct, frozen=True, kw_only=True):
    """What to run. `data`: a labelled file; its first `train_fraction` trains the first model."""

    data: Path
    pipeline_file: Path
    home: Path
    ports: Ports
    train_fraction: float
    label_delay: int
    rate: float | None
    lockstep: bool


class DemoResult(Struct, frozen=True, kw_only=True):
    """What a run leaves behind."""

    outcome: Outcome
    replay: ReplaySummary
    replay_seconds: float
    wall_seconds: float
    rss_mb: dict[str, int]


class Watcher:
    """Hears how the demo goes; the terminal's live view is one."""

    def stage(self, sentence: str) -> None:
        """A new stage begins."""

    def started(self, pipeline: Pipeline, kafka: KafkaAccess, truth: Mapping[str, LabelValue]) -> None:
        """The replay begins; `truth` maps event ids to labels."""

    def progress(self, rows: int) -> None:
        """So many rows have been sent."""


def run_demo(plan: DemoPlan, supervisor: Supervisor, environment: Mapping[str, str], watcher: Watcher) -> DemoResult:
    """Run it on a fresh local stack in `plan.home`, or on the services that `environment` names.

    Raises:
        DemoFailed: when bootstrap fails or the file is too short.
        LocalStackError, ProducerError, LockstepStalled: as they say.
    """
    began = time.monotonic()
    pipeline = load_pipeline(plan.pipeline_file)
    table = open_table(plan.data)
    check_columns(table.columns, pipeline, str(plan.data))  # before anything is started
    first = int(table.rows * plan.train_fraction)
    if not 0 < first < table.rows:
        raise DemoFailed(f"{plan.data}: {table.rows} rows leave nothing to train on or nothing to replay with "
                         f"--train-fraction {plan.train_fraction}")
    watcher.stage("starting Kafka, PostgreSQL and MLflow")
    (plan.home / PIPELINE_FILE).write_bytes(plan.pipeline_file.read_bytes())  # what `verify` reads when told no other
    addresses = _fresh_stack(plan, supervisor, environment, watcher.stage)
    watcher.stage(f"training the first model on {first} of {table.rows} rows")
    launch_pipelines(supervisor, {plan.pipeline_file: pipeline}, addresses, plan.ports)  # they wait for the model
    supervisor.publish(addresses.masked() | launch_prometheus(supervisor, plan.ports, environment))
    bootstrap(plan, {**environment, **addresses.environment()}, first)
    truth = _truth(table, pipeline, first)
    watcher.started(pipeline, addresses.kafka, truth)
    watcher.stage(f"replaying {table.rows - first} rows" + (" in lockstep" if plan.lockstep else ""))
    replay_began = time.monotonic()
    barrier = LockstepBarrier(pipeline, addresses.kafka,
                              lambda: supervisor.require(lambda service: service.name not in BESIDE))
    try:
        summary = _replay(plan, pipeline, file_rows(table, pipeline, first), addresses.kafka, barrier, watcher)
    finally:
        barrier.close()
    replay_seconds = time.monotonic() - replay_began
    watcher.stage("summing up")
    rss = {name: round(size / 1e6) for name, size in supervisor.rss().items()}
    outcome = read_outcome(pipeline, addresses.kafka, truth)
    return DemoResult(outcome=outcome, replay=summary, replay_seconds=replay_seconds, rss_mb=rss,
                      wall_seconds=time.monotonic() - began)


def bootstrap(plan: DemoPlan, environment: Mapping[str, str], rows: int) -> None:
    """First model, in a process of its own: learning needs packages that this one can do without.

    Raises:
        DemoFailed: with what the command said.
    """
    command = [sys.executable, "-m", "automl_stream", "bootstrap", str(plan.data), "--pipeline",
               str(plan.pipeline_file), "--rows", str(rows), "--json"]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(done.stderr.strip().removeprefix("Error: ") or f"bootstrap ended with {done.returncode}")


def report(result: DemoResult, pipeline: Pipeline) -> dict[str, Any]:
    """The content of report.json; docs/GETTING_STARTED.md explains each key."""
    outcome: dict[str, Any] = msgspec.to_builtins(result.outcome)
    figures = {f"{key}_{which}": value for which in ("live", "frozen")
               for key, value in outcome.pop(which).items() if value is not None}
    return {"pipeline": pipeline.name} | outcome | figures | {
        "events_confirmed": result.replay.events_confirmed,
        "labels_confirmed": result.replay.labels_confirmed,
        "events_per_second": round(result.replay.events_confirmed / result.replay_seconds, 1),
        "wall_seconds": round(result.wall_seconds, 1),
        "rss_mb": result.rss_mb,
    }


def write_report(path: Path, content: Mapping[str, Any]) -> None:
    """Write report.json."""
    path.write_text(json.dumps(content, indent=1) + "\n")


def _fresh_stack(plan: DemoPlan, supervisor: Supervisor, environment: Mapping[str, str], say: Say) -> Addresses:
    """The demo's stack is its own: every run begins with empty topics and tables. What the environment names stays."""
    if not environment.get("KAFKA_BOOTSTRAP_SERVERS"):
        shutil.rmtree(plan.home / "kafka", ignore_errors=True)
    shutil.rmtree(plan.home / "prometheus", ignore_errors=True)
    addresses = start_infrastructure(supervisor, plan.ports, environment, say)
    if not environment.get("DATABASE_URL"):
        reset_databases(addresses.database_url)
    return addresses


def _truth(table: Table, pipeline: Pipeline, first: int) -> dict[str, LabelValue]:
    return {row.event_id: canonical_label(pipeline.task, row.label)  # type: ignore[arg-type]  # checked by label_problem
            for row in file_rows(table, pipeline, first) if row.fits and not label_problem(row, pipeline.task)}


def _replay(plan: DemoPlan, pipeline: Pipeline, rows: Iterator[Row], kafka: KafkaAccess,
            barrier: LockstepBarrier, watcher: Watcher) -> ReplaySummary:
    settings = ReplaySettings(
        kafka=kafka, confirmed=Confirmed(run=run_name(plan.data.name, _now_ms())), now_ms=_now_ms,
        label_delay=plan.label_delay, codec=event_codec(pipeline, os.environ),
        lockstep=Lockstep(block_rows=lockstep_rows(pipeline.retraining), barrier=barrier) if plan.lockstep else None)
    pace = Pace(plan.rate, time.monotonic, time.sleep)
    summary = replay(rows, pipeline, settings, pace, watcher.progress)
    watcher.stage("waiting until everything has been said")
    barrier.after_events(-1)
    barrier.after_labels(-1, 0 if plan.lockstep else summary.labels_joinable)
    barrier.after_recording()
    return summary


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
