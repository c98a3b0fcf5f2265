"""The command `automl-stream reproduce`. Exit codes: 0 identical, 1 something differs, 2 nothing could be compared.
What it runs is loaded when it runs: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.broker import broker
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.verify.command import demo_place
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.reproduce import Difference, Reproduction


def add_command(app: typer.Typer) -> None:
    """Give the command line its `reproduce`."""
    app.command()(reproduce)


def reproduce(
    decision_id: Annotated[str, typer.Argument(help="Decision that announced a model.")],
    pipeline: Annotated[Path | None, typer.Option(envvar="AUTOML_STREAM_PIPELINE",
                                                  help="Pipeline file; else that of the last demo.")] = None,
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """Train a model again from the rows and the recipe of its decision, and compare the bytes."""
    import msgspec

    from schemas.pipeline import load_pipeline
    from trainer.errors import KafkaUnavailable
    from trainer.kafka_log import LogReader
    from trainer.reproduce import reproduce as again

    place = demo_place(home) if pipeline is None else home
    definition = load_pipeline(pipeline or place / "pipeline.toml")
    with broker(place, os.environ) as kafka:
        try:
            with closing(LogReader(kafka, log_level=2)) as reader:
                found = again(definition, decision_id, reader, lambda sentence: typer.echo(sentence, err=True))
        except KafkaUnavailable as error:
            raise WrongUse(str(error)) from error
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    else:
        _print(found)
    raise typer.Exit(0 if found.identical else 1)


def _print(found: "Reproduction") -> None:
    from trainer.reproduce import describe

    typer.echo(f"version {found.version}: {describe(found.recipe)}")
    typer.echo(f"identical: {found.digest}" if found.identical else "not identical")
    _print_differences(found.differences)
    if found.environment:
        typer.echo("the environment is another one" if found.differences else
                   "the environment is another one, the bytes are the same")
        _print_differences(found.environment)


def _print_differences(differences: "Sequence[Difference]") -> None:
    for difference in differences:
        typer.echo(f"  {difference.what}: recorded {difference.recorded}\n"
                   f"  {' ' * len(difference.what)}  now      {difference.found}")
