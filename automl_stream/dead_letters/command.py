"""The commands `dead-letters list|show|replay`. Exit codes: 0 all is well, 1 Kafka failed or a named letter cannot be
replayed, 2 wrong use. What they run is loaded when they run: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_stream.json_document import print_json
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.dead_letters.letter_box import LetterBox
    from automl_stream.dead_letters.replayer import Replayer
    from automl_stream.dead_letters.replaying import ReplayReport
    from automl_stream.dead_letters.selection import Selection
    from kafka_access.access import KafkaAccess

REASONS = ("empty", "malformed", "invalid", "timestamp", "future", "expired", "poison")


def _known(reasons: list[str] | None) -> list[str] | None:
    for reason in reasons or ():
        if reason not in REASONS:
            raise typer.BadParameter(f"'{reason}' is none of {', '.join(REASONS)}")
    return reasons


PipelineFile = Annotated[Path, typer.Argument(help="Pipeline file.")]
Reasons = Annotated[list[str] | None, typer.Option("--reason", callback=_known, metavar="REASON",
                                                   help=f"Repeatable; one of {', '.join(REASONS)}.")]
Partitions = Annotated[list[int] | None, typer.Option("--partition", min=0, help="Of events; repeatable.")]
Since = Annotated[str, typer.Option(help="Written at or after: RFC 3339, or a span back from now such as 2h.")]
Until = Annotated[str, typer.Option(help="Written before; like --since.")]
Contains = Annotated[str, typer.Option(help="Text in the raw bytes or in the detail.")]


def add_commands(app: typer.Typer) -> None:
    """Add the group `dead-letters`."""
    letters = typer.Typer(no_args_is_help=True, help="Events that could not be scored: list, show, replay.")
    letters.command("list")(list_letters)
    letters.command("show")(show_letter)
    letters.command("replay")(replay_letters)
    app.add_typer(letters, name="dead-letters")


def list_letters(
    pipeline: PipelineFile,
    reason: Reasons = None,
    partition: Partitions = None,
    since: Since = "",
    until: Until = "",
    contains: Contains = "",
    limit: Annotated[int, typer.Option(min=1, help="Show only so many, the newest.")] = 100,
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """List dead letters, each source once, and count them by reason."""
    from automl_stream.dead_letters.listing import make_listing, print_listing

    selection = _selection(reason, partition, (since, until), contains, [])
    with _box(pipeline, home) as (box, _):
        listing = make_listing((x for x in box.letters(selection.since) if x in selection), limit, box.topic_id)
    if as_json:
        print_json(listing)
    else:
        print_listing(listing)


def show_letter(
    pipeline: PipelineFile,
    source: Annotated[str, typer.Argument(help="Source of the dead letter, as `list` gives it.")],
    home: Home = DEFAULT_HOME,
    *,
    as_json: Json = False,
) -> None:
    """Show everything that is known of one dead letter, its bytes, and whether it was replayed."""
    from automl_stream.dead_letters.showing import describe, look_at

    (wanted,) = _selection(None, None, ("", ""), "", [source]).sources
    with _box(pipeline, home) as (box, _):
        found = look_at(box, wanted)
    if as_json:
        print_json(found)
    else:
        for shown in found:
            sys.stdout.write("\n".join(describe(shown, box)) + "\n")


def replay_letters(
    pipeline: PipelineFile,
    sources: Annotated[list[str] | None, typer.Argument(help="Only these; else all that the filters let pass.")] = None,
    reason: Reasons = None,
    partition: Partitions = None,
    since: Since = "",
    until: Until = "",
    contains: Contains = "",
    home: Home = DEFAULT_HOME,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Send also what was replayed before.")] = False,
    as_json: Json = False,
) -> None:
    """Write dead letters back to events, same bytes and key. Safe to repeat: what was replayed is left alone."""
    from automl_stream.dead_letters.replayer import Replayer
    from automl_stream.dead_letters.replaying import replay

    selection = _selection(reason, partition, (since, until), contains, sources or [])
    with _box(pipeline, home) as (box, kafka):

        def open_replayer(due: int) -> "Replayer":
            return Replayer(box.events, kafka, lambda done: box.progress("sending", done, due))

        report = replay(box, selection, None if dry_run else open_replayer, again=again)
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    raise typer.Exit(1 if sources and report.refused else 0)


def _selection(reasons: list[str] | None, partitions: list[int] | None, span: tuple[str, str], contains: str,
               sources: list[str]) -> "Selection":
    import time

    from automl_stream.dead_letters.letter import Source
    from automl_stream.dead_letters.selection import Selection, moment

    now = time.time_ns() // 1_000_000
    try:
        since, until = (moment(text, now) if text else None for text in span)
        return Selection(reasons=reasons or (), partitions=partitions or (), since=since, until=until,
                         contains=contains, sources=frozenset(map(Source.parse, sources)))
    except ValueError as error:
        raise WrongUse(str(error)) from error


@contextmanager
def _box(pipeline: Path, home: Path) -> Iterator[tuple["LetterBox", "KafkaAccess"]]:
    """The pipeline's letters and access to Kafka, with a progress bar where there is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from automl_stream.broker import broker
    from automl_stream.dead_letters.letter_box import LetterBox
    from automl_stream.topic_log import TopicLog
    from schemas.pipeline import load_pipeline

    name = load_pipeline(pipeline).name
    console = Console(stderr=True)
    with ExitStack() as stack:
        kafka = stack.enter_context(broker(home, os.environ))
        bars = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        box = LetterBox(name, kafka, stack.enter_context(closing(TopicLog(kafka))), progress)
        yield box, kafka
        for problem in box.unreadable:
            typer.echo(f"This record of dead-letters is none and is left out: {problem}", err=True)


def _print_report(report: "ReplayReport") -> None:
    sent = f"{report.due:,} would be sent" if report.dry_run else f"{report.sent:,} sent and confirmed"
    refused = sum(report.refused.values())
    typer.echo(f"{report.selected:,} dead letters: {sent}, {report.replayed_before:,} replayed before, "
               f"{refused:,} cannot be replayed")
    for refusal in report.examples:
        typer.echo(f"  {refusal.source}: {refusal.why}")
    if refused > len(report.examples):
        typer.echo(f"  and {refused - len(report.examples):,} more")
    if report.replayed_before and not report.again:
        typer.echo("--again sends also what was replayed before.")
