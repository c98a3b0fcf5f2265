"""The commands `replay` and `scenario`. What they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producers.errors import DeliveryFailed, ProducerError, UnusableFile

if TYPE_CHECKING:
    from kafka_access.access import KafkaAccess
    from producers.replay import ReplaySummary
    from schemas.pipeline import Pipeline

_PIPELINES = Path("pipelines")

PipelineFile = Annotated[Path | None, typer.Option("--pipeline", help="Pipeline file; else pipelines/<name>.toml.")]
Servers = Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="Kafka brokers, host:port,...")]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Events a second; else as fast as it goes.")]
Labels = Annotated[bool, typer.Option(help="Send the labels too.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


def add_commands(app: typer.Typer) -> None:
    """Add `replay` and `scenario`. They end with 0, with 1 where the broker failed, with 2 where the input is wrong."""
    app.command("replay")(replay_file)
    app.command("scenario")(make_scenario)


def replay_file(
    file: Annotated[Path, typer.Argument(help="CSV, CSV.gz, Parquet or JSON Lines.")],
    pipeline: PipelineFile = None,
    servers: Servers = "",
    rate: Rate = None,
    label_delay: Annotated[int, typer.Option(min=0, help="Rows by which a label comes after its event.")] = 0,
    from_row: Annotated[int, typer.Option(min=0, help="First row to send.")] = 0,
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a replay that was interrupted.")] = False,
    labels: Labels = True,
    json: Json = False,
) -> None:
    """Send a file's rows to a pipeline as events, and their labels."""
    def send() -> None:
        from producers.files import open_table
        from producers.transfer import Transfer, send_file

        table = open_table(file)
        definition = _pipeline(pipeline, file.name.partition(".")[0])
        _print(send_file(table, definition, Transfer(
            kafka=_access(servers), rate=rate, labels=labels, label_delay=label_delay, from_row=from_row,
            resume=resume)), as_json=json)

    _ending_well(send, "stopped; go on with --resume")


def make_scenario(
    name: Annotated[str, typer.Argument(help="payments, readmission or pricing.")],
    rows: Annotated[int | None, typer.Option(min=1, help="Rows to make.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same rows.")] = 0,
    change: Annotated[list[str] | None, typer.Option(
        help="kind@row or kind@row-until, repeatable; kinds: covariate, concept, label-shift, sensor-fault, "
             "schema-break, or 'none'. Else covariate and concept at half of the rows.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file (and <stem>.truth.json), not to Kafka.")] = None,
    pipeline: PipelineFile = None,
    servers: Servers = "",
    rate: Rate = None,
    label_delay: Annotated[int | None, typer.Option(min=0, help="Rows; else the scenario's own.")] = None,
    *,
    labels: Labels = True,
    json: Json = False,
) -> None:
    """Make up a stream whose changes are known, into Kafka or a file."""
    def send() -> None:
        from producers.scenarios.changes import Change
        from producers.scenarios.scenario import scenario, stream_of
        from producers.transfer import Transfer, send_scenario, write_scenario

        changes = None if not change else tuple(Change.parse(text) for text in change if text != "none")
        plan = scenario(name, rows, seed, changes)
        if out is not None:
            typer.echo(f"{plan.rows} rows in {out}, the truth in {write_scenario(plan, out)}")
            return
        delay = stream_of(name).label_delay if label_delay is None else label_delay
        transfer = Transfer(kafka=_access(servers), rate=rate, labels=labels, label_delay=delay)
        _print(send_scenario(plan, _pipeline(pipeline, name), transfer), as_json=json)

    _ending_well(send, "stopped; what was sent stays in Kafka")


def _pipeline(path: Path | None, name: str) -> "Pipeline":
    from schemas.pipeline import load_pipeline

    return load_pipeline(path or _PIPELINES / f"{name}.toml")


def _access(servers: str) -> "KafkaAccess":
    from kafka_access.environment import read_access

    if not servers:
        raise UnusableFile("no Kafka broker is named; set KAFKA_BOOTSTRAP_SERVERS or give --servers host:port")
    return read_access(os.environ, servers)


def _print(summary: "ReplaySummary", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(summary).decode())
        return
    typer.echo(f"{summary.events_confirmed} events and {summary.labels_confirmed} labels confirmed, last row "
               f"{summary.last_row}")
    if summary.misfits:
        typer.echo(f"{summary.misfits} rows do not fit the pipeline and end as dead letters; "
                   f"the first: {summary.first_misfit}")


def _ending_well(run: Callable[[], None], stopped: str) -> None:
    from kafka_access.access import UnusableAccess
    from schema_registry.errors import RegistryAway
    from schemas.pipeline import PipelineError

    try:
        run()
    except (DeliveryFailed, RegistryAway) as error:
        _fail(str(error), 1, error)
    except (ProducerError, PipelineError, UnusableAccess) as error:
        _fail(str(error), 2, error)
    except KeyboardInterrupt as error:
        _fail(stopped, 1, error)


def _fail(sentence: str, code: int, cause: BaseException) -> None:
    typer.echo(f"automl-stream: {sentence}", err=True)
    raise typer.Exit(code) from cause
