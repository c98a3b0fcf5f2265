"""What a bench measured: how it is stored, and how it is printed.

A bench builds one `Result`, and ends with `finish(result, arguments)`: with `--json` the last line of stdout is the
JSON of `figures`; with `--write` the result goes to bench/results/<name>.json, which is checked in and which
`python -m bench.report` renders. Everything else a bench says goes to stderr.
"""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

WHOLE = 100  # from here on, decimals say nothing
RESULTS = Path(__file__).with_name("results")


class Machine(Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    cores: int
    processor: str
    memory_gib: float
    system: str
    python: str
    broker: str
    load: float  # of the last minute, when the bench began: above ~0.5 the machine was not quiet


class Table(Struct, frozen=True, kw_only=True):
    """Rows as a reader sees them; numbers are printed with thousands separators and three significant decimals."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | float | None, ...]]
    note: str = ""


class Chart(Struct, frozen=True, kw_only=True):
    """Horizontal bars, in this order."""

    title: str
    unit: str
    bars: dict[str, float]
    logarithmic: bool = False


class Result(Struct, frozen=True, kw_only=True):
    """One bench, once. `figures` is what `--json` prints; `raw` holds every round."""

    name: str
    title: str
    summary: str
    command: str
    measured_at: str
    machine: Machine
    figures: dict[str, Any]
    tables: list[Table]
    charts: list[Chart] = []
    raw: dict[str, Any]


def describe_machine(broker: str = "Apache Kafka 4.4.0, one node, same machine") -> Machine:
    """The machine that we run on."""
    model = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=os.cpu_count() or 1, processor=model[0] if model else platform.processor() or platform.machine(),
        memory_gib=round(pages * size / 2**30, 1), system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(), broker=broker, load=round(os.getloadavg()[0], 2),
    )


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text("utf-8").splitlines() if file.exists() else []


def today() -> str:
    """UTC time to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def arguments(name: str, description: str) -> argparse.ArgumentParser:
    """The options that every bench has; add more, then `parse_args()`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=description)
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of the full form")
    parser.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object; no progress")
    parser.add_argument("--write", action="store_true", help=f"store the result as {RESULTS.name}/{name}.json")
    return parser


def command_line(name: str, arguments: Sequence[str] | None = None) -> str:
    """What to type to measure this again."""
    return " ".join(["python -m", f"bench.{name}", *(sys.argv[1:] if arguments is None else arguments)])


def progress(*, silent: bool) -> Progress:
    """A bar on stderr; enter it as a context. Under --json it is silent, and steps are plain lines on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}")
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=silent, transient=True)


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def finish(result: Result, options: argparse.Namespace) -> None:
    """Store and print as the options say."""
    if options.write:
        store(result)
    if options.json:
        print_line(result.figures)
    else:
        show(result)


def store(result: Result) -> None:
    """Write it where `python -m bench.report` finds it."""
    RESULTS.mkdir(exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (RESULTS / f"{result.name}.json").write_bytes(data + b"\n")


def print_line(figures: dict[str, Any]) -> None:
    """One JSON object on a line of stdout."""
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
    sys.stdout.flush()


def show(result: Result) -> None:
    """Its tables on stdout."""
    console = Console()
    for table in result.tables:
        shown = RichTable(*table.columns, title=table.title, caption=table.note or None)
        for row in table.rows:
            shown.add_row(*map(cell, row))
        console.print(shown)


def cell(value: str | float | None) -> str:
    """How a value looks in a table."""
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f}" if abs(value) >= WHOLE or value == int(value) else f"{value:.3g}"


def medians(rounds: dict[str, list[float]]) -> dict[str, float]:
    """Median of each contender's rounds."""
    return {name: median(values) for name, values in rounds.items()}
