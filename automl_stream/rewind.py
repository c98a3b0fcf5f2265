"""The command `rewind`: what PostgreSQL has lost comes back from Kafka, for as long as Kafka keeps it. What it runs is
loaded when it runs: the command line starts without it."""
# ruff: noqa: PLC0415

import asyncio
import os
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from automl_stream.local_stack.options import DEFAULT_HOME, Home


class Reader(StrEnum):
    """Services that store in PostgreSQL what they read."""

    LABELS = "labels"
    RECORD = "record"


def add_command(app: typer.Typer) -> None:
    """Add `rewind`."""
    app.command("rewind")(rewind)


def rewind(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file.")],
    services: Annotated[list[Reader], typer.Argument(help="Stopped services.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Let services read everything anew that Kafka holds, so that PostgreSQL has it again. What is there stays."""
    from automl_stream.database import addresses
    from automl_stream.emitted import remember_emitted
    from automl_stream.group_commits import forget
    from automl_stream.topic_log import TopicLog
    from schemas.pipeline import load_pipeline

    definition = load_pipeline(pipeline)
    with addresses(home, os.environ) as (kafka, url), closing(TopicLog(kafka)) as log:
        for service in services:
            if service is Reader.LABELS:  # first: who reads anew and was not told emits every pair twice
                told = asyncio.run(remember_emitted(definition, log, url))
                typer.echo(f"{told} labels are in the training log already")
            forget(kafka, f"{definition.name}.{service}")
            typer.echo(f"{definition.name}-{service} will read from the first record on when it is started")
