"""The command `automl-stream`. Exit codes: 0 all is well, 1 something was found wanting, 2 wrong use."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.acls import add_command as add_acls_command
from automl_stream.apply import add_command as add_apply_command
from automl_stream.audit.command import add_commands as add_audit_commands
from automl_stream.backtest.command import add_command as add_backtest_command
from automl_stream.dashboards import add_commands as add_grafana_commands
from automl_stream.dead_letters.command import add_commands as add_dead_letter_commands
from automl_stream.demo.command import add_commands as add_demo_commands
from automl_stream.deployment.command import add_commands as add_deployment_commands
from automl_stream.erasure.command import add_command as add_erase_command
from automl_stream.export.command import add_command as add_export_command
from automl_stream.features.command import add_commands as add_feature_commands
from automl_stream.local_stack.errors import Ending
from automl_stream.local_stack.options import (
    DEFAULT_HOME,
    ConsoleMetricsPort,
    ConsolePort,
    Home,
    IngestionPort,
    Json,
    KafkaControllerPort,
    KafkaPort,
    MetricsPort,
    MlflowPort,
    PostgresPort,
    PredictionPort,
    PrometheusPort,
)
from automl_stream.migrate import add_command as add_migrate_command
from automl_stream.models.command import add_commands as add_model_commands
from automl_stream.reproduce import add_command as add_reproduce_command
from automl_stream.rewind import add_command as add_rewind_command
from automl_stream.scaling import ScoreWorkerNumber
from automl_stream.scaling import add_commands as add_scaling_commands
from automl_stream.verify.command import add_command as add_verify_command
from producers.commands import add_commands as add_producer_commands

if TYPE_CHECKING:
    from automl_stream.local_stack.supervisor import Supervisor

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

@app.callback()
def automl_stream() -> None:
    """Keep a machine-learning model honest on a Kafka stream."""


@app.command()
def up(
    pipelines: Annotated[list[Path] | None, typer.Argument(help="Pipeline files whose services shall run.")] = None,
    score_workers: ScoreWorkerNumber = 1,
    home: Home = DEFAULT_HOME,
    kafka_port: KafkaPort = 19092,
    kafka_controller_port: KafkaControllerPort = 19093,
    postgres_port: PostgresPort = 15432,
    mlflow_port: MlflowPort = 15000,
    prometheus_port: PrometheusPort = 19090,
    ingestion_port: IngestionPort = 8001,
    prediction_port: PredictionPort = 8002,
    console_port: ConsolePort = 8050,
    console_metrics_port: ConsoleMetricsPort = 19099,
    metrics_port: MetricsPort = 19100,
    *,
    open_pages: Annotated[bool, typer.Option("--open", help="Open the console, or the next best page.")] = False,
) -> None:
    """Start Kafka, PostgreSQL and MLflow, and the services of pipelines, and keep them running until Ctrl-C."""
    from automl_stream.addresses import grafana_address, open_first_page, show_addresses  # noqa: PLC0415
    from automl_stream.local_stack.ports import Ports  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.local_stack.prometheus import launch_prometheus  # noqa: PLC0415
    from automl_stream.local_stack.stack import start_infrastructure  # noqa: PLC0415
    from automl_stream.local_stack.supervisor import Supervisor  # noqa: PLC0415
    from automl_stream.score_workers import ScoreWorkers  # noqa: PLC0415
    from automl_stream.services import (  # noqa: PLC0415
        await_doors,
        door_tokens,
        launch_console,
        launch_pipelines,
        load_pipelines,
    )

    loaded = load_pipelines(pipelines or [])
    ports = Ports(
        kafka=kafka_port,
        kafka_controller=kafka_controller_port,
        postgres=postgres_port,
        mlflow=mlflow_port,
        prometheus=prometheus_port,
        ingestion=ingestion_port,
        prediction=prediction_port,
        console=console_port,
        console_metrics=console_metrics_port,
        metrics=metrics_port,
    )
    supervisor = Supervisor(home)
    end_on_signals(supervisor)
    try:
        with supervisor:
            addresses = start_infrastructure(supervisor, ports, report=_say)
            tokens = door_tokens(supervisor.home, os.environ)
            launched = launch_pipelines(supervisor, loaded, addresses, ports, score_workers, tokens)
            doors = {name: url for services in launched for name, url in services.doors().items()}
            doors["console"] = launch_console(supervisor, list(loaded), addresses, ports, tokens)
            shown = addresses.masked() | doors
            shown |= launch_prometheus(supervisor, ports, os.environ) | grafana_address(os.environ)
            supervisor.publish(shown)
            with closing(ScoreWorkers(supervisor, launched, score_workers, _say)) as workers:
                await_doors(supervisor, doors, _say)
                show_addresses(shown, home, tokens.get("AUTOML_STREAM_TOKENS_FILE"))
                if open_pages:
                    open_first_page(shown)
                supervisor.wait(workers.settle)
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


add_acls_command(app)
add_apply_command(app)
add_audit_commands(app)
add_backtest_command(app)
add_dead_letter_commands(app)
add_demo_commands(app)
add_deployment_commands(app)
add_erase_command(app)
add_export_command(app)
add_feature_commands(app)
add_grafana_commands(app)
add_migrate_command(app)
add_model_commands(app)
add_producer_commands(app)
add_reproduce_command(app)
add_rewind_command(app)
add_scaling_commands(app)
add_verify_command(app)


def main() -> None:
    """Run the command line; expected errors are one sentence on stderr, without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Ending:
        _say("Everything has ended.")
        sys.exit(130)
    except Exception as error:
        from automl_stream.failures import exit_code  # noqa: PLC0415  (knows every package's errors)

        code = exit_code(error)
        if code is None:
            raise
        _say(f"Error: {error}")
        sys.exit(code)


def end_on_signals(supervisor: Supervisor) -> None:
    """Make Ctrl-C and SIGTERM end the supervisor in good order, and further ones harmless."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.ending.set())


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
