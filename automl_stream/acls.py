"""The command `acls`: what Kafka must allow whom, as commands for Kafka's own tool."""

import sys
from pathlib import Path
from typing import Annotated

import typer

PRINCIPAL = "User:{pipeline}-{service}"

PipelineFile = Annotated[Path, typer.Argument(help="Pipeline file.")]
Principal = Annotated[str, typer.Option(help="A service's principal; {pipeline} and {service} are filled in.")]
Tool = Annotated[str, typer.Option(help="How the lines begin: the tool, the broker, and an administrator's settings.")]


def add_command(app: typer.Typer) -> None:
    """Give the command line its `acls`."""
    app.command()(acls)


def acls(
    pipeline: PipelineFile,
    principal: Principal = PRINCIPAL,
    tool: Tool = 'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --command-config admin.properties',
) -> None:
    """Print the commands that give each service of a pipeline the least that it needs in Kafka."""
    from automl_stream.wrong_use import WrongUse  # noqa: PLC0415  (keeps --help fast)
    from kafka_access.acls import commands  # noqa: PLC0415
    from schemas.pipeline import load_pipeline  # noqa: PLC0415

    name = load_pipeline(pipeline).name
    try:
        lines = list(commands(name, principal))
    except (KeyError, IndexError, ValueError) as error:
        raise WrongUse(f"--principal {principal} cannot be filled in ({error}); it may hold {{pipeline}} and "
                       "{service}") from error
    sys.stdout.writelines(f"{tool} {line}\n" for line in lines)
