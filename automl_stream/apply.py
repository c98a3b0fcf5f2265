"""The command `apply`. Exit codes: 0 published or nothing to change, 1 Kafka did not take it, 2 refused.
What it runs is loaded when it runs: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.json_document import print_json
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.applying import Definitions

Named = Annotated[str, typer.Argument(help="Pipeline file; for --export its name will do.")]
By = Annotated[str, typer.Option(help="Who changes it; else the user of this system.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Export = Annotated[bool, typer.Option("--export", help="Print the newest version instead, as it was applied.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change, and publish nothing.")]
Replaces = Annotated[int | None, typer.Option(min=-1, help="Version that FILE was made from, -1 for none: refuse where "
                                                           "another is the newest.")]


def add_command(app: typer.Typer) -> None:
    """Give the command line its `apply`."""
    app.command()(apply)


def apply(pipeline: Named, by: By = "", reason: Reason = "", replaces: Replaces = None, home: Home = DEFAULT_HOME, *,
          export: Export = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Publish a pipeline file as the newest version of its definition: from then on the services take it from Kafka."""
    import getpass

    from schemas.pipeline import load_pipeline

    if export:
        _export(load_pipeline(Path(pipeline)).name if pipeline.endswith(".toml") else pipeline, home)
        return
    from schemas.configuration import effects

    file = Path(pipeline)
    definition, text = load_pipeline(file), file.read_text("utf-8")
    with _definitions(definition.name, home) as definitions:
        versions = definitions.versions()
        if replaces not in (None, versions.offset):
            raise WrongUse(f"{file.name} was made from version {replaces} of '{definition.name}', and the newest is "
                           f"{versions.offset}; bring that one back, put your change into it and apply it again")
        definitions.require_possible(definition, versions)
        current = versions.current
        changes = ["the first version"] if current is None else list(effects(current.pipeline, definition))
        same = current is not None and not changes and current.configuration.text == text
        for change in changes:
            _say(f"  {change}")
        if same:
            _say(f"Version {versions.offset} of {definition.name} says the same; nothing is published.")
        published = None if same or dry_run else definitions.publish(
            definition, text, by or getpass.getuser(), reason, versions.offset)
    if published is not None:
        _say(f"Version {published.offset} of {definition.name} is on record; services take the definition from Kafka.")
    if as_json:
        print_json({"changes": changes, "replaces": versions.offset,
                    "version": None if published is None else published.offset})


def _export(name: str, home: Path) -> None:
    with _definitions(name, home) as definitions:
        current = definitions.versions().current
    if current is None:
        raise WrongUse(f"no version of '{name}' was applied; its services run with the file that they were given")
    sys.stdout.write(current.configuration.text)


@contextmanager
def _definitions(name: str, home: Path) -> Iterator["Definitions"]:
    from automl_stream.applying import Definitions
    from automl_stream.broker import broker
    from automl_stream.topic_log import TopicLog

    with ExitStack() as stack:
        kafka = stack.enter_context(broker(home, os.environ))
        yield Definitions(name, kafka, stack.enter_context(closing(TopicLog(kafka))))


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
