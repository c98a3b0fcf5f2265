"""The command `export`. Exit codes: 0 all is written, 1 PostgreSQL failed, 2 wrong use. What it runs is loaded when it
runs: the command line starts without it."""
# ruff: noqa: PLC0415

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from automl_stream.local_stack.options import DEFAULT_HOME, Home
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.export.days import Days
    from schemas.pipeline import Pipeline

Format = Literal["parquet", "csv"]


def add_command(app: typer.Typer) -> None:
    """Add `export`."""
    app.command("export")(export)


def export(
    pipeline: Annotated[Path, typer.Argument(help="Pipeline file.")],
    first: Annotated[str, typer.Option("--from", help="First day, such as 2026-01-31, of the events' Kafka time; else "
                                                      "the oldest.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day, inclusive; else the newest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Directory to make; else NAME-export.")] = None,
    kind: Annotated[Format, typer.Option("--format", help="Of the files.")] = "parquet",
    home: Home = DEFAULT_HOME,
) -> None:
    """Write predictions, each event once, with features and labels: files of one day and at most 100,000 rows."""
    from automl_stream.database import database
    from automl_stream.export.days import open_days
    from automl_stream.export.errors import TargetTaken
    from schemas.pipeline import load_pipeline

    span = _day("--from", first, date.min), _day("--to", last, date.max)
    if span[0] > span[1]:
        raise WrongUse(f"--from {first} is after --to {last}; exchange them")
    definition = load_pipeline(pipeline)
    target = out or Path(f"{definition.name}-export")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise TargetTaken(f"{target} exists and is not empty; name another with --out, or remove it")
    with database(home, os.environ) as url, open_days(url, definition.name, span) as days:
        counts = days.counts()
        with _bar(sum(counts.values())) as advance:
            files = sum(_write_day(days, day, target, definition, kind, advance) for day in counts)
    typer.echo(f"{sum(counts.values()):,} rows of {len(counts)} days in {files} files under {target}")


def _write_day(days: "Days", day: date, target: Path, definition: "Pipeline", kind: Format,
               advance: Callable[[int], None]) -> int:
    """How many files it took."""
    from automl_stream.export.files import table, write

    target.mkdir(parents=True, exist_ok=True)
    number = 0
    for rows in days.batches(day):
        write(table(rows, definition), target / f"{day.isoformat()}-{number:04d}.{kind}", kind)
        advance(len(rows))
        number += 1
    return number


def _day(option: str, text: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(text) if text else otherwise
    except ValueError as error:
        raise WrongUse(f"{option} '{text}' is no day; expected one such as 2026-01-31") from error


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("exporting", total=total)
        yield lambda rows: bars.update(task, advance=rows)
