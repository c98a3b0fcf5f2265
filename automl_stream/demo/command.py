"""The commands `demo` and `bootstrap`. What they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.local_stack.errors import Ending
from automl_stream.local_stack.options import (
    DEFAULT_HOME,
    Home,
    Json,
    KafkaControllerPort,
    KafkaPort,
    MetricsPort,
    MlflowPort,
    PostgresPort,
    PrometheusPort,
)
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.local_stack.supervisor import Supervisor
    from schemas.pipeline import Pipeline
    from trainer.bootstrap import Connections

SCENARIO = "payments"
PIPELINES = Path("pipelines")

PipelineFile = Annotated[Path | None, typer.Option("--pipeline", help="Pipeline file; else pipelines/<stem>.toml.")]


def add_commands(app: typer.Typer) -> None:
    """Add `demo` and `bootstrap`."""
    app.command("demo")(demo)
    app.command("bootstrap")(bootstrap)


def demo(
    data: Annotated[Path | None, typer.Option(help="A labelled file; else the payments scenario.")] = None,
    pipeline: PipelineFile = None,
    train_fraction: Annotated[float, typer.Option(min=0, max=1, help="Share of rows for the first model.")] = 0.2,
    label_delay: Annotated[int, typer.Option(min=0, help="Rows by which a label comes after its event.")] = 0,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Events a second; else as fast as it goes.")] = None,
    report: Annotated[Path, typer.Option(help="Where the machine-readable summary goes.")] = Path("report.json"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenario.")] = 0,
    home: Home = DEFAULT_HOME,
    kafka_port: KafkaPort = 19092,
    kafka_controller_port: KafkaControllerPort = 19093,
    postgres_port: PostgresPort = 15432,
    mlflow_port: MlflowPort = 15000,
    prometheus_port: PrometheusPort = 19090,
    metrics_port: MetricsPort = 19100,
    *,
    lockstep: Annotated[bool, typer.Option(help="Hold the replay until every service has caught up: the result then "
                                                "depends on the data and not on the machine's speed.")] = True,
) -> None:
    """Run the whole loop on a stream whose world changes, and sum up what it did."""
    from rich.console import Console

    from automl_stream.demo import run
    from automl_stream.demo.summary import summarise
    from automl_stream.demo.view import LiveView
    from automl_stream.local_stack.ports import Ports
    from automl_stream.local_stack.supervisor import Supervisor
    from schemas.pipeline import load_pipeline

    if not report.absolute().parent.is_dir():
        raise WrongUse(f"--report {report}: there is no folder {report.parent}; make it, or choose another")
    place = home / "demo"
    file, stem = (data, data.name.partition(".")[0]) if data else (scenario_file(place, seed), SCENARIO)
    definition = pipeline or PIPELINES / f"{stem}.toml"
    loaded = load_pipeline(definition)
    plan = run.DemoPlan(
        data=file, pipeline_file=definition, home=place, train_fraction=train_fraction, label_delay=label_delay,
        rate=rate, lockstep=lockstep, ports=Ports(kafka=kafka_port, kafka_controller=kafka_controller_port,
                                                  postgres=postgres_port, mlflow=mlflow_port,
                                                  prometheus=prometheus_port, metrics=metrics_port))
    console = Console(soft_wrap=True)
    supervisor = Supervisor(place)
    _interrupt_on_signals(supervisor)
    with supervisor, LiveView(console) as view:
        result = run.run_demo(plan, supervisor, os.environ, view)
    content = run.report(result, loaded)
    run.write_report(report, content)
    console.print(summarise(content))
    console.print(f"The whole report is in {report}; data and logs are in {place}; "
                  f"`automl-stream verify --home {place}` proves that nothing was lost.")
    raise typer.Exit(1 if content["lost"] else 0)


def _interrupt_on_signals(supervisor: "Supervisor") -> None:
    """Make Ctrl-C and SIGTERM break off whatever the demo does, and further ones harmless while everything ends."""

    def interrupt(*_: object) -> None:
        if not supervisor.ending.is_set():
            supervisor.ending.set()
            raise Ending("the demo was interrupted")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def scenario_file(place: Path, seed: int) -> Path:
    """The payments scenario as a file, so that everything goes the way of a user's own data."""
    from producers.scenarios.scenario import scenario
    from producers.transfer import write_scenario

    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{SCENARIO}.csv"
    write_scenario(scenario(SCENARIO, None, seed, None), path)
    return path


def bootstrap(
    file: Annotated[Path, typer.Argument(help="Labelled rows: CSV, CSV.gz, Parquet or JSON Lines.")],
    pipeline: PipelineFile = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Use only the first so many rows.")] = None,
    home: Home = DEFAULT_HOME,
    *,
    if_none: Annotated[bool, typer.Option("--if-none", help="Be content where a model serves already.")] = False,
    as_json: Json = False,
) -> None:
    """Train and announce version 1 from a labelled file. Kafka and MLflow are those that the environment names, else
    those of the stack that runs in --home."""
    from itertools import islice

    import msgspec
    from rich.console import Console
    from rich.progress import track

    from automl_stream.topics import create_topics
    from producers.files import file_digest, file_rows, open_table
    from producers.labelled import labelled_rows
    from producers.rows import Row
    from schemas.pipeline import load_pipeline
    from trainer.bootstrap import bootstrap as train_first
    from trainer.errors import AlreadyBootstrapped

    console = Console(stderr=True)
    definition: Pipeline = load_pipeline(pipeline or PIPELINES / f"{file.name.partition('.')[0]}.toml")
    connections = _connections(home)
    table = open_table(file)
    wanted = min(rows or table.rows, table.rows)

    def left_out(row: Row, problem: str) -> None:
        console.print(f"row {row.number} is left out: {problem}")

    create_topics(definition, connections.kafka)
    source = islice(file_rows(table, definition), wanted)
    labelled = labelled_rows(iter(track(source, "reading", wanted, console=console, disable=not console.is_terminal)),
                             definition, file_digest(file), left_out)
    try:
        summary = train_first(definition, labelled, connections, _now_ms, console.print)
    except AlreadyBootstrapped as error:
        if not if_none:
            raise
        console.print(str(error))
        return
    sys.stdout.write(msgspec.json.encode(summary).decode() + "\n" if as_json else
                     f"version {summary.version} ({summary.family}) was trained on {summary.rows} rows\n")


def _connections(home: Path) -> "Connections":
    """Kafka and MLflow's store.

    Raises:
        WrongUse: where the environment does not name both, and nothing runs in `home`.
    """
    from automl_stream.local_stack.ports import Ports
    from automl_stream.local_stack.stack import choose_addresses
    from automl_stream.local_stack.status import read_status
    from kafka_access.environment import read_access
    from trainer.bootstrap import Connections
    from trainer.settings import RegistrySettings

    missing = [name for name in ("KAFKA_BOOTSTRAP_SERVERS", "MLFLOW_TRACKING_URI") if not os.environ.get(name)]
    if not missing:
        return Connections(kafka=read_access(), registry=RegistrySettings(
            tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
            artifact_root=os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT")))
    running = {service.name: service.address for service in read_status(home).services if service.alive}
    if not running:
        raise WrongUse(f"{missing[0]} is not set and nothing runs in {home}; start `automl-stream up`, or set it")
    ports = Ports(**{name: int(address.rpartition(":")[2].partition("/")[0])
                     for name in ("kafka", "postgres") if (address := running.get(name))})
    found = choose_addresses(home.absolute(), ports, os.environ)
    return Connections(kafka=found.kafka, registry=RegistrySettings(tracking_uri=found.mlflow_uri,
                                                                    artifact_root=found.artifact_root))


def _now_ms() -> int:
    import time

    return time.time_ns() // 1_000_000
