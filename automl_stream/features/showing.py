"""The catalogue for a person."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_stream.dead_letters.wording import printable, when
from automl_stream.features.catalogue import Catalogue, Entry

_PAPER = 160  # columns where the output is no terminal


def print_catalogue(catalogue: Catalogue) -> None:
    """As a table."""
    console = Console(soft_wrap=True, width=None if Console().is_terminal else _PAPER)
    table = Table()
    for name in ("feature", "type", "range", "owner", "first seen", "last seen", "effect", "drift", "description"):
        table.add_column(name, justify="right" if name == "effect" else "left")
    for entry in catalogue.features:
        table.add_row(*map(Text, (
            printable(entry.name), _type(entry), _range(entry), printable(entry.owner) or "-", _when(entry.first_seen),
            _when(entry.last_seen), "-" if entry.drift is None else f"{entry.drift.effect:+.2f}", _drift(entry),
            printable(entry.description))))
    console.print(table)
    origin = "the file" if catalogue.version < 0 else f"version {catalogue.version}"
    console.print(f"{len(catalogue.features)} features of {catalogue.pipeline}, as {origin} defines them",
                  highlight=False)


def describe(entry: Entry) -> Iterator[str]:
    """One line a fact."""
    facts = {
        "feature": printable(entry.name), "type": _type(entry), "range": _range(entry),
        "default": "-" if entry.default is None else printable(str(entry.default)),
        "owner": printable(entry.owner) or "-", "description": printable(entry.description) or "-",
        "seen": f"{_when(entry.first_seen)} to {_when(entry.last_seen)}", "drift": _drift(entry),
        "models": ", ".join(map(printable, entry.models)) or "none yet",
    }
    if entry.drift is not None:
        facts["newest window"] = (f"from {when(entry.drift.window_start)}: {entry.drift.rows:,} rows, "
                                  f"{entry.drift.missing:.1%} missing, effect {entry.drift.effect:+.3f}")
    width = max(map(len, facts))
    yield from (f"{name:<{width}}  {value}" for name, value in facts.items())


def _type(entry: Entry) -> str:
    return f"{entry.type}, optional" if entry.optional else entry.type


def _range(entry: Entry) -> str:
    if entry.min is None and entry.max is None:
        return "-"
    return f"{'' if entry.min is None else f'{entry.min:g}'}..{'' if entry.max is None else f'{entry.max:g}'}"


def _when(ts: int | None) -> str:
    return "never" if ts is None else when(ts)


def _drift(entry: Entry) -> str:
    drift = entry.drift
    if drift is None:
        return "no report yet"
    if drift.alarm:
        return "alarm"
    calm = "calm" if drift.calibrated else "uncalibrated"
    return calm if drift.last_alarm is None else f"{calm}; last alarm {when(drift.last_alarm)}"
