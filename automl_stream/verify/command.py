"""The command `automl-stream verify`. Exit codes: 0 all is well, 1 something differs, 2 nothing could be judged."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafka_access.access import KafkaAccess

DEFAULT_HOME = Path(".automl-stream")
WRONG_USE = 2


def add_command(app: typer.Typer) -> None:
    """Give the command line its `verify`."""
    app.command()(verify)


def verify(
    pipeline: Annotated[Path | None, typer.Option(envvar="AUTOML_STREAM_PIPELINE",
                                                  help="Pipeline file; else that of the last demo.")] = None,
    home: Annotated[Path, typer.Option(envvar="AUTOML_STREAM_HOME", help="Home of the local stack.")] = DEFAULT_HOME,
    sample: Annotated[int | None, typer.Option(min=1, help="Rescore only so many predictions.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for services that lag.")] = 30.0,
    report: Annotated[Path | None, typer.Option(help="Write the verdict to this file as JSON.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recount everything offline from Kafka and PostgreSQL. Exits with 1 and the differences unless all is well."""
    import msgspec  # noqa: PLC0415  (keeps --help fast)
    from rich.console import Console  # noqa: PLC0415

    from automl_stream.topic_log import TopicLogError  # noqa: PLC0415
    from automl_stream.verify.errors import VerifyError  # noqa: PLC0415
    from automl_stream.verify.loading import load  # noqa: PLC0415
    from automl_stream.verify.table import show  # noqa: PLC0415
    from automl_stream.verify.verdict import judge  # noqa: PLC0415
    from schema_registry.errors import RegistryAway  # noqa: PLC0415
    from schemas.pipeline import PipelineError, load_pipeline  # noqa: PLC0415

    try:
        place = demo_place(home) if pipeline is None else home
        definition = load_pipeline(pipeline or place / "pipeline.toml")
        with reachable(place, os.environ) as addresses:
            recording, lagging = load(definition, *addresses, wait)
        verdict = judge(recording, sample)
    except (TopicLogError, VerifyError, PipelineError, RegistryAway) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(WRONG_USE) from error
    document = msgspec.json.format(msgspec.json.encode(verdict), indent=2)
    if report is not None:
        report.write_bytes(document + b"\n")
    if as_json:
        sys.stdout.write(document.decode() + "\n")
    else:
        show(verdict, lagging, Console(soft_wrap=True))
    raise typer.Exit(0 if verdict.ok else 1)


def demo_place(home: Path) -> Path:
    """Where the last demo of `home` left its data; `home` itself where it is that place."""
    return home / "demo" if (home / "demo" / "pipeline.toml").exists() else home


@contextmanager
def reachable(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[KafkaAccess, str]]:
    """Access to Kafka and PostgreSQL's URL: the environment's, else those of the stack that runs in `home`;
    one that was ended is started for as long as it is read.

    Raises:
        NoAddress: when there is neither.
    """
    from automl_stream.local_stack.ports import Ports  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.local_stack.postgres import database_url  # noqa: PLC0415
    from automl_stream.local_stack.status import read_status  # noqa: PLC0415
    from automl_stream.verify.errors import NoAddress  # noqa: PLC0415
    from kafka_access.environment import named_access  # noqa: PLC0415
    from stream_apps.settings import MissingSetting  # noqa: PLC0415
    from stream_apps.settings import database_url as named_database  # noqa: PLC0415

    running = {service.name: service.address for service in read_status(home).services if service.alive}
    kafka = named_access(environment, running.get("kafka"))
    try:
        database = named_database(environment)
    except MissingSetting as error:
        raise NoAddress(str(error)) from error
    if not database and (address := running.get("postgres")) and (port := urlsplit(address).port):
        database = database_url(home, Ports(postgres=port))
    if kafka and database:
        yield kafka, database
    elif not running and (home / "kafka" / "data").exists():
        yield from _started(home, environment)
    else:
        missing = "KAFKA_BOOTSTRAP_SERVERS" if not kafka else "DATABASE_URL"
        raise NoAddress(f"{missing} is not set and nothing runs in {home}; start `automl-stream up`, or set it")


def _started(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[KafkaAccess, str]]:
    from automl_stream.local_stack.ports import unused_ports  # noqa: PLC0415
    from automl_stream.local_stack.stack import start_infrastructure  # noqa: PLC0415
    from automl_stream.local_stack.supervisor import Supervisor  # noqa: PLC0415

    with Supervisor(home) as supervisor:
        typer.echo(f"Starting what was ended in {home}, to read it.", err=True)
        # MLflow is not read: naming a store keeps its server from being started.
        unneeded = {"MLFLOW_TRACKING_URI": "sqlite://"}
        found = start_infrastructure(supervisor, unused_ports(), {**environment, **unneeded})
        yield found.kafka, found.database_url
