"""The commands `topics`, `strimzi` and `prometheus-rule`. What they run is loaded when they run: the command line
starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from automl_stream.local_stack.options import DEFAULT_HOME, Home

PipelineFile = Annotated[Path, typer.Argument(help="Pipeline file.")]
Cluster = Annotated[str, typer.Option(help="Name of Strimzi's Kafka resource.")]


def add_commands(app: typer.Typer) -> None:
    """Add `topics`, `strimzi` and `prometheus-rule`."""
    app.command("topics")(make_topics)
    app.command("strimzi")(print_resources)
    app.command("prometheus-rule")(print_rules)


def make_topics(
    pipelines: Annotated[list[Path], typer.Argument(help="Pipeline files.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Make the topics of pipelines that are missing, and set their retention. `up`, `demo` and `bootstrap` do it by
    themselves."""
    from automl_stream.broker import broker
    from automl_stream.services import load_pipelines
    from automl_stream.topics import create_topics
    from schemas.topics import TOPICS

    loaded = load_pipelines(pipelines)
    with broker(home, os.environ) as kafka:
        for pipeline in loaded.values():
            create_topics(pipeline, kafka)
            typer.echo(f"{pipeline.name}: its {len(TOPICS)} topics are there")


def print_resources(pipeline: PipelineFile, cluster: Cluster = "automl-stream") -> None:
    """Print a pipeline's topics, and a user for each service with the least that it needs, as resources of Strimzi."""
    from automl_stream.deployment.strimzi import resources
    from schemas.pipeline import load_pipeline

    sys.stdout.write(f"# Written by `automl-stream strimzi {pipeline}`. Do not edit.\n"
                     f"{resources(load_pipeline(pipeline), cluster)}")


def print_rules() -> None:
    """Print the recording and alert rules of all pipelines as a resource of the Prometheus operator."""
    from automl_stream.deployment.rules import resource
    from automl_stream.local_stack.prometheus import rules

    sys.stdout.write("# Written by `automl-stream prometheus-rule`. Do not edit.\n"
                     f"{resource(sorted(rules().glob('*.yml')))}")
