"""The commands `features list|show`. Exit codes: 0 all is well, 1 Kafka failed, 2 wrong use.
What they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.json_document import print_json
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.features.catalogue import Catalogue

PipelineFile = Annotated[Path, typer.Argument(help="Pipeline file.")]
Name = Annotated[str, typer.Argument(help="Name of a feature.")]


def add_commands(app: typer.Typer) -> None:
    """Add the group `features`."""
    features = typer.Typer(no_args_is_help=True, help="A pipeline's features: what each is, whose, and how it drifts.")
    features.command("list")(list_features)
    features.command("show")(show_feature)
    app.add_typer(features, name="features")


def list_features(pipeline: PipelineFile, home: Home = DEFAULT_HOME, *, as_json: Json = False) -> None:
    """List the features with type, range, owner, when they were seen, and the newest drift."""
    from automl_stream.features.showing import print_catalogue

    catalogue = _catalogue(pipeline, home)
    if as_json:
        print_json(catalogue)
    else:
        print_catalogue(catalogue)


def show_feature(pipeline: PipelineFile, name: Name, home: Home = DEFAULT_HOME, *, as_json: Json = False) -> None:
    """Show everything that is known of one feature."""
    from automl_stream.features.showing import describe

    catalogue = _catalogue(pipeline, home)
    entry = next((entry for entry in catalogue.features if entry.name == name), None)
    if entry is None:
        raise WrongUse(f"pipeline '{catalogue.pipeline}' has no feature '{name}'; it has "
                       f"{', '.join(entry.name for entry in catalogue.features)}")
    if as_json:
        print_json(entry)
    else:
        sys.stdout.write("\n".join(describe(entry)) + "\n")


def _catalogue(pipeline: Path, home: Path) -> "Catalogue":
    from automl_stream.broker import broker
    from automl_stream.features.catalogue import read_catalogue
    from automl_stream.topic_log import TopicLog

    with broker(home, os.environ) as kafka, closing(TopicLog(kafka)) as log:
        return read_catalogue(pipeline, kafka, log)
