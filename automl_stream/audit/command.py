"""The commands `audit list|show|verify|explain`. Exit codes: 0 all is well, 1 the audit was changed, 2 wrong use. What
they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.json_document import print_json
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.audit.proof import Chain
    from automl_stream.audit.rows import Record
    from schemas.pipeline import Pipeline

PipelineFile = Annotated[Path, typer.Argument(help="Pipeline file.")]


def add_commands(app: typer.Typer) -> None:
    """Add the group `audit`."""
    audit = typer.Typer(no_args_is_help=True, help="What was decided and ordered, and whether anybody changed it.")
    audit.command("list")(list_rows)
    audit.command("show")(show_row)
    audit.command("verify")(verify_audit)
    audit.command("explain")(explain_prediction)
    app.add_typer(audit, name="audit")


def list_rows(
    pipeline: PipelineFile,
    topic: Annotated[str | None, typer.Option(help="Only of this topic, such as commands.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show only so many, the newest.")] = 50,
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """List what was decided, ordered, announced and alerted, and by whom."""
    from automl_stream.audit.heads import AUDITED
    from automl_stream.audit.listing import make_lines, print_lines

    known = sorted(t.name for t in AUDITED)
    if topic is not None and topic not in known:
        raise WrongUse(f"'{topic}' is no topic of the audit; expected one of {', '.join(known)}")
    with _record(pipeline, home) as (definition, record):
        lines = make_lines(definition.name, record.audit(), limit, topic)
    if as_json:
        print_json(lines)
    else:
        print_lines(lines)


def show_row(
    pipeline: PipelineFile,
    place: Annotated[str, typer.Argument(help="TOPIC/PARTITION/OFFSET, as `list` gives it.")],
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """Show one row of the audit, its bytes and its hash."""
    from automl_stream.audit.listing import describe, find_row

    with _record(pipeline, home) as (definition, record):
        row = find_row(definition.name, record.audit(), place)
    if as_json:
        print_json(row)
    else:
        sys.stdout.write("\n".join(describe(row)) + "\n")


def verify_audit(pipeline: PipelineFile, home: Home = DEFAULT_HOME, *, as_json: Json = False) -> None:
    """Compute every hash anew and compare with what Kafka holds. Exits with 1 where a row was changed, taken out or put
    in, and names the first."""
    from automl_stream.audit.heads import read_known
    from automl_stream.audit.proof import prove
    from automl_stream.audit.rows import open_record
    from automl_stream.database import addresses
    from automl_stream.topic_log import TopicLog
    from schemas.pipeline import load_pipeline

    name = load_pipeline(pipeline).name
    with addresses(home, os.environ) as (kafka, url), closing(TopicLog(kafka)) as log, open_record(url, name) as record:
        record.begin()  # what Kafka holds is read behind the rows: it can only be more
        chains = list(prove(record.audit(), read_known(name, log)))
    if as_json:
        print_json(chains)
    else:
        sys.stdout.write("\n".join(_findings(chains)) + "\n")
    raise typer.Exit(1 if any(chain.difference for chain in chains) else 0)


def _findings(chains: list["Chain"]) -> Iterator[str]:
    for chain in chains:
        late = f", {chain.unheaded} rows after the newest" if chain.unheaded else ""
        yield f"{chain.topic} {chain.partition}: {chain.rows:,} rows, {chain.heads:,} heads agree{late}"
        if chain.difference is not None:
            yield f"  offset {chain.position}: {chain.difference}"
    changed = sum(chain.difference is not None for chain in chains)
    yield "Nothing was changed." if not changed else f"{changed} of {len(chains)} chains are not as they were said."


def explain_prediction(
    pipeline: PipelineFile,
    event_id: Annotated[str, typer.Argument(help="Of the event that was predicted.")],
    entity: Annotated[str | None, typer.Option(help="Its entity: finds it at once, and tells equal ids apart.")] = None,
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """Tell why a prediction was made: features, model, its training rows, its gate, who promoted it, alerts since."""
    from automl_stream.audit.errors import UnknownEvent
    from automl_stream.audit.explaining import describe, explain

    with _record(pipeline, home) as (definition, record):
        found = record.predictions(event_id, entity)
        entities = sorted({prediction.entity for prediction in found})
        if not found:
            raise UnknownEvent(f"no prediction of event '{event_id}' is stored; see whether the recorder runs, whether "
                               "the event is a dead letter, and whether retention or an erasure has removed it")
        if len(entities) > 1:
            raise WrongUse(f"event '{event_id}' occurs with {len(entities)} entities; name one with --entity: "
                           f"{', '.join(entities[:5])}")
        explanation = explain(definition, found, record.truth(entities[0], event_id), list(record.audit()))
    if as_json:
        print_json(explanation)
    else:
        sys.stdout.write("\n".join(describe(explanation)) + "\n")


@contextmanager
def _record(pipeline: Path, home: Path) -> Iterator[tuple["Pipeline", "Record"]]:
    from automl_stream.audit.rows import open_record
    from automl_stream.database import database
    from schemas.pipeline import load_pipeline

    definition = load_pipeline(pipeline)
    with database(home, os.environ) as url, open_record(url, definition.name) as record:
        yield definition, record
