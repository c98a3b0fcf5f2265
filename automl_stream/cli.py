"""The command `automl-stream`. Exit codes: 0 all is well, 1 something was found wanting, 2 wrong use."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.local_stack.errors import Ending, LocalStackError, UnknownService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl_stream.local_stack.supervisor import Supervisor

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Home = Annotated[Path, typer.Option(envvar="AUTOML_STREAM_HOME", help="Directory of all data and logs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_HOME = Path(".automl-stream")


def _port(service: str) -> typer.models.OptionInfo:
    return typer.Option(envvar=f"AUTOML_STREAM_{service}_PORT", min=1, max=65535, help=f"Port of {service.lower()}.")


@app.callback()
def automl_stream() -> None:
    """Keep a machine-learning model honest on a Kafka stream."""


@app.command()
def up(
    home: Home = DEFAULT_HOME,
    kafka_port: Annotated[int, _port("KAFKA")] = 19092,
    kafka_controller_port: Annotated[int, _port("KAFKA_CONTROLLER")] = 19093,
    postgres_port: Annotated[int, _port("POSTGRES")] = 15432,
    mlflow_port: Annotated[int, _port("MLFLOW")] = 15000,
    metrics_port: Annotated[int, _port("METRICS")] = 19100,
) -> None:
    """Start Kafka, PostgreSQL and MLflow, and keep them running until Ctrl-C."""
    from automl_stream.local_stack.ports import Ports  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.local_stack.stack import start_infrastructure  # noqa: PLC0415
    from automl_stream.local_stack.supervisor import Supervisor  # noqa: PLC0415

    ports = Ports(
        kafka=kafka_port,
        kafka_controller=kafka_controller_port,
        postgres=postgres_port,
        mlflow=mlflow_port,
        metrics=metrics_port,
    )
    supervisor = Supervisor(home)
    _end_on_signals(supervisor)
    try:
        with supervisor:
            addresses = start_infrastructure(supervisor, ports, report=_say)
            _show_addresses(addresses.masked(), home)
            supervisor.wait()
    except Ending:
        pass
    _say("Everything has ended.")


@app.command()
def down(home: Home = DEFAULT_HOME) -> None:
    """End the stack of this home, and whatever a killed one left behind."""
    from automl_stream.local_stack.supervisor import end_stack  # noqa: PLC0415  (keeps --help fast)

    _say("Everything has ended." if end_stack(home) else f"Nothing runs in {home}.")


@app.command()
def status(home: Home = DEFAULT_HOME, *, as_json: Json = False) -> None:
    """Show what runs. Exits with 1 unless the stack and all its services do."""
    from automl_stream.local_stack.status import read_status, render  # noqa: PLC0415  (keeps --help fast)

    found = read_status(home)
    render(found, as_json=as_json)
    raise typer.Exit(0 if found.running else 1)


@app.command()
def logs(
    name: Annotated[str | None, typer.Argument(help="One service; all if left out.")] = None,
    home: Home = DEFAULT_HOME,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Show the last lines of the services' logs."""
    from automl_stream.local_stack.logs import show_logs  # noqa: PLC0415  (keeps --help fast)

    show_logs(home, name, sys.stdout, follow=follow)


def main() -> None:
    """Run the command line; expected errors are one sentence on stderr, without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except (LocalStackError, OSError) as error:
        _say(f"Error: {error}")
        sys.exit(2 if isinstance(error, UnknownService) else 1)


def _end_on_signals(supervisor: Supervisor) -> None:
    """Make Ctrl-C and SIGTERM end the supervisor in good order, and further ones harmless."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.ending.set())


def _show_addresses(addresses: Mapping[str, str], home: Path) -> None:
    from rich.console import Console  # noqa: PLC0415  (keeps --help fast)
    from rich.table import Table  # noqa: PLC0415

    table = Table("service", "address")
    for name, address in addresses.items():
        table.add_row(name, address)
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"Data and logs are in {home}. MLflow's pages may take half a minute. Ctrl-C ends everything.")


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
