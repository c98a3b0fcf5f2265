"""The commands `models list|show|promote|rollback|pause|resume|refresh`. Exit codes: 0 all is well, 1 not carried out
or not answered, 2 wrong use. What they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_stream.json_document import print_json
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.topic_log import TopicLog
    from kafka_access.access import KafkaAccess
    from schemas.messages import Command, CommandAction, TrainingDecision

PipelineFile = Annotated[Path, typer.Argument(help="Pipeline file.")]
Version = Annotated[str, typer.Argument(help="Version of the registry, as `models list` gives it.")]
By = Annotated[str, typer.Option(help="Who orders it; else the user of this system.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for the trainer's answer.")]


def add_commands(app: typer.Typer) -> None:
    """Add the group `models`."""
    models = typer.Typer(no_args_is_help=True, help="Models of a pipeline: list, show, and orders to the trainer.")
    models.command("list")(list_models)
    models.command("show")(show_model)
    for order in (promote, rollback, pause, resume, refresh):
        models.command()(order)
    app.add_typer(models, name="models")


def list_models(
    pipeline: PipelineFile,
    limit: Annotated[int, typer.Option(min=1, help="Show only so many, the newest.")] = 20,
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """List which models were announced, when, why and by whom, and which of them serve."""
    from automl_stream.models.history import read_history
    from automl_stream.models.listing import make_listing, print_listing

    with _topics(pipeline, home) as (name, log, _):
        listing = make_listing(name, read_history(name, log), limit)
    if as_json:
        print_json(listing)
    else:
        print_listing(listing)


def show_model(pipeline: PipelineFile, version: Version, home: Home = DEFAULT_HOME, *, as_json: Json = False) -> None:
    """Show everything that is known of one version: its rows, its gate, where it served, alerts since."""
    from automl_stream.models.history import read_history
    from automl_stream.models.showing import describe, look_at

    with _topics(pipeline, home) as (name, log, _):
        shown = look_at(name, read_history(name, log), version)
    if as_json:
        print_json(shown)
    else:
        sys.stdout.write("\n".join(describe(shown)) + "\n")


def promote(
    pipeline: PipelineFile,
    version: Version,
    canary: Annotated[float | None, typer.Option(metavar="SHARE", help="Serve this share of the entities first: above "
                                                                       "0, below 1.")] = None,
    by: By = "",
    reason: Reason = "",
    wait: Wait = 60.0,
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """Let a version serve, at once or as a canary."""
    if canary is not None and not 0 < canary < 1:
        raise WrongUse(f"--canary {canary} is no share of the entities; it lies above 0 and below 1")
    _order(pipeline, home, "promote", by, reason, wait, version=version, share=canary, as_json=as_json)


def rollback(pipeline: PipelineFile, by: By = "", reason: Reason = "", wait: Wait = 60.0, home: Home = DEFAULT_HOME, *,
             as_json: Json = False) -> None:
    """Let the champion before this one serve again; where a canary serves, end it."""
    _order(pipeline, home, "rollback", by, reason, wait, as_json=as_json)


def pause(pipeline: PipelineFile, by: By = "", reason: Reason = "", wait: Wait = 60.0, home: Home = DEFAULT_HOME, *,
          as_json: Json = False) -> None:
    """Train and promote nothing until `resume`; scoring goes on."""
    _order(pipeline, home, "pause", by, reason, wait, as_json=as_json)


def resume(pipeline: PipelineFile, by: By = "", reason: Reason = "", wait: Wait = 60.0, home: Home = DEFAULT_HOME, *,
           as_json: Json = False) -> None:
    """Train and promote again."""
    _order(pipeline, home, "resume", by, reason, wait, as_json=as_json)


def refresh(pipeline: PipelineFile, by: By = "", reason: Reason = "", wait: Wait = 60.0, home: Home = DEFAULT_HOME, *,
            as_json: Json = False) -> None:
    """Fit candidates now, without waiting for more labels."""
    _order(pipeline, home, "refresh", by, reason, wait, as_json=as_json)


def _order(pipeline: Path, home: Path, action: "CommandAction", by: str, reason: str, wait: float, *,
           as_json: bool, version: str | None = None, share: float | None = None) -> None:
    """Record a command, wait for its answer and print it."""
    import getpass

    from automl_stream.models.history import read_history
    from automl_stream.models.orders import REFUSED, Orders
    from automl_stream.models.showing import look_at

    with _topics(pipeline, home) as (name, log, kafka):
        if version is not None:
            look_at(name, read_history(name, log), version)  # raises UnknownVersion before anything is recorded
        orders = Orders(name, kafka, log)
        command = orders.give(action, by or getpass.getuser(), reason, version=version, share=share)
        typer.echo(f"Command {command.command_id} is recorded; waiting for the trainer.", err=True)
        decision = _answered(orders.answer, command, wait)
    if as_json:
        print_json(decision)
    else:
        typer.echo(f"{decision.verdict}: {decision.reason}"
                   f"{f' (version {decision.version})' if decision.version else ''}")
    raise typer.Exit(1 if decision.verdict in REFUSED else 0)


def _answered(answer: Any, command: "Command", wait: float) -> "TrainingDecision":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("waiting for the trainer", total=wait)
        return answer(command, wait, lambda seconds: bars.update(task, completed=seconds))


@contextmanager
def _topics(pipeline: Path, home: Path) -> Iterator[tuple[str, "TopicLog", "KafkaAccess"]]:
    """The pipeline's name, its topics, and access to Kafka."""
    from automl_stream.broker import broker
    from automl_stream.topic_log import TopicLog
    from schemas.pipeline import load_pipeline

    name = load_pipeline(pipeline).name
    with ExitStack() as stack:
        kafka = stack.enter_context(broker(home, os.environ))
        yield name, stack.enter_context(closing(TopicLog(kafka))), kafka
