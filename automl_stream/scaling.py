"""The commands `scale` and `partitions`. What they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.local_stack.options import DEFAULT_HOME, Home

if TYPE_CHECKING:
    from kafka_access.access import KafkaAccess

MAX_SCORE_WORKERS = 12  # of one pipeline on one machine: as many as it has metrics ports for
PARTITIONS_LIMIT = 10_000

ScoreWorkerNumber = Annotated[int, typer.Option("--score-workers", min=1, max=MAX_SCORE_WORKERS,
                                                help="Score workers of each pipeline.")]


def add_commands(app: typer.Typer) -> None:
    """Add `scale` and `partitions`."""
    app.command("scale")(scale)
    app.command("partitions")(partitions)


def scale(
    pipeline: Annotated[str, typer.Argument(help="Name of the pipeline, or its file.")],
    workers: Annotated[int, typer.Argument(min=1, max=MAX_SCORE_WORKERS, help="How many score workers it shall have.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Add or remove score workers of a pipeline that `up` runs. Returns when they are there or gone."""
    from automl_stream import score_workers
    from schemas.pipeline import load_pipeline

    name = load_pipeline(Path(pipeline)).name if pipeline.endswith(".toml") else pipeline
    score_workers.scale(home, name, workers)
    _say(f"{name} has {workers} score worker{'s' if workers > 1 else ''}. Partitions of a worker that has ended go to "
         "the others after some seconds.")


def partitions(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file.")],
    count: Annotated[int, typer.Argument(min=1, max=PARTITIONS_LIMIT, help="How many partitions it shall have.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Give a pipeline more partitions while everything runs. Kafka cannot take any away."""
    from automl_stream.partitions import raise_partitions
    from schemas.pipeline import load_pipeline

    raise_partitions(load_pipeline(pipeline), _kafka(home), count, _say)


def _kafka(home: Path) -> "KafkaAccess":
    from automl_stream.local_stack.processes import read_state
    from automl_stream.wrong_use import WrongUse
    from kafka_access.environment import named_access

    state = read_state(home)
    running = state.addresses.get("kafka") if state and state.parent.process() else None
    kafka = named_access(os.environ, running)
    if kafka is None:
        raise WrongUse(f"KAFKA_BOOTSTRAP_SERVERS is not set and nothing runs in {home}; "
                       "start `automl-stream up`, or set it")
    return kafka


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
