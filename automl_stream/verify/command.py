"""The command `automl-stream verify`. Exit codes: 0 all is well, 1 something differs, 2 nothing could be judged."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOME = Path(".automl-stream")
WRONG_USE = 2


def add_command(app: typer.Typer) -> None:
    """Give the command line its `verify`."""
    app.command()(verify)


def verify(
    pipeline: Annotated[Path, typer.Option(envvar="AUTOML_STREAM_PIPELINE", help="Pipeline file.")],
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

    from automl_stream.verify.errors import VerifyError  # noqa: PLC0415
    from automl_stream.verify.loading import load  # noqa: PLC0415
    from automl_stream.verify.table import show  # noqa: PLC0415
    from automl_stream.verify.verdict import judge  # noqa: PLC0415
    from schemas.pipeline import PipelineError, load_pipeline  # noqa: PLC0415

    try:
        recording, lagging = load(load_pipeline(pipeline), *addresses(home, os.environ), wait)
    except (VerifyError, PipelineError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(WRONG_USE) from error
    verdict = judge(recording, sample)
    document = msgspec.json.format(msgspec.json.encode(verdict), indent=2)
    if report is not None:
        report.write_bytes(document + b"\n")
    if as_json:
        sys.stdout.write(document.decode() + "\n")
    else:
        show(verdict, lagging, Console(soft_wrap=True))
    raise typer.Exit(0 if verdict.ok else 1)


def addresses(home: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    """Kafka's bootstrap servers and PostgreSQL's URL: the environment's, else those of the stack that runs in `home`.

    Raises:
        NoAddress: when there is neither.
    """
    kafka, database = environment.get("KAFKA_BOOTSTRAP_SERVERS"), environment.get("DATABASE_URL")
    if kafka and database:
        return kafka, database
    from urllib.parse import urlsplit  # noqa: PLC0415  (keeps --help fast)

    from automl_stream.local_stack.ports import Ports  # noqa: PLC0415
    from automl_stream.local_stack.postgres import database_url  # noqa: PLC0415
    from automl_stream.local_stack.status import read_status  # noqa: PLC0415
    from automl_stream.verify.errors import NoAddress  # noqa: PLC0415

    running = {service.name: service.address for service in read_status(home).services if service.alive}
    if not database and (address := running.get("postgres")) and (port := urlsplit(address).port):
        database = database_url(home, Ports(postgres=port))
    kafka = kafka or running.get("kafka")
    if not kafka or not database:
        missing = "KAFKA_BOOTSTRAP_SERVERS" if not kafka else "DATABASE_URL"
        raise NoAddress(f"{missing} is not set and nothing runs in {home}; start `automl-stream up`, or set it")
    return kafka, database
