"""The command `erase`. Exit codes: 0 done, 1 PostgreSQL or Kafka failed, 2 wrong use. What it runs is loaded when it
runs: the command line starts without it."""
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
    from automl_stream.erasure.aftermath import Aftermath
    from kafka_access.access import KafkaAccess
    from schemas.pipeline import Pipeline


def add_command(app: typer.Typer) -> None:
    """Add `erase`."""
    app.command("erase")(erase)


def erase(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file.")],
    entity: Annotated[str, typer.Argument(help="The person, as events name it.")],
    by: Annotated[str, typer.Option(help="Who orders it; else the user of this system.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the record; name nobody in it.")] = "",
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """Take a person's rows out of PostgreSQL, record that it was done, and say what stays. Safe to repeat."""
    import getpass

    from automl_stream.database import addresses
    from automl_stream.erasure.aftermath import describe
    from schemas.pipeline import load_pipeline

    if not entity:
        raise WrongUse("the entity is empty: events without one belong to nobody; name a person")
    definition = load_pipeline(pipeline)
    with addresses(home, os.environ) as (kafka, url):
        found = _erase(definition, entity, (kafka, url), by or getpass.getuser(), reason)
    if as_json:
        print_json(found)
    else:
        sys.stdout.write("\n".join(describe(found)) + "\n")


def _erase(pipeline: "Pipeline", entity: str, addresses: tuple["KafkaAccess", str], by: str,
           reason: str) -> "Aftermath":
    from automl_stream.erasure.aftermath import follow
    from automl_stream.erasure.eraser import open_eraser
    from automl_stream.models.history import read_history
    from automl_stream.models.orders import Orders
    from automl_stream.topic_log import TopicLog
    from schemas.messages import derived_id

    kafka, url = addresses
    with closing(TopicLog(kafka)) as log:
        decisions = list(read_history(pipeline.name, log).decisions.values())
        with open_eraser(url, pipeline.name) as eraser:
            erased = eraser.erase(entity)
            subject = derived_id("erased", pipeline.name, entity)
            words = (f"{reason}: " if reason else "") + (
                f"subject {subject}, {erased.predictions} predictions, {erased.labels} labels, {len(erased.labelled)} "
                f"labelled events, {erased.dead_letters} dead letters, {erased.refused} refused")
            # On record before it is committed: what is done is on record in any case.
            command = Orders(pipeline.name, kafka, log).give("erase", by, words)
    return follow(pipeline, command.command_id, erased, decisions)
