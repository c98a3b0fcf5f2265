"""The upper panels of a policy's picture: evidence against its threshold, and what was done, over the rows.

Colours are readable on light and on dark ground. Plotly reads some HTML in texts: whatever comes from outside goes
through `plain`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any

from automl_stream.backtest.result import Result, Window

Trace = dict[str, Any]
Columns = Sequence[Sequence[Window]]  # windows, or several together where there are too many to draw

BLUE, AMBER, RED, GREEN, GREY = "#3f83c8", "#e0962a", "#d33a3a", "#2f9e63", "#858b94"
FLOOR = 0.5  # logarithms have no zero; less evidence than this is none
LINE_LETTERS = 46


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened at a row, and what is said of it."""

    row: int
    said: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One line of marks."""

    name: str
    marks: Sequence[Mark]
    colour: str
    symbol: str


def plain(words: str) -> str:
    """The words as plotly shall show them: letter by letter, in lines that fit a phone."""
    return "<br>".join(escape(line, quote=False) for line in wrap(words, LINE_LETTERS))


def evidence(columns: Columns) -> list[Trace]:
    """The threshold, the strongest feature's evidence, and where it was an alarm."""
    strongest = [max(column, key=lambda window: (window.alarm, window.evidence)) for column in columns]
    alarms = [window for window in strongest if window.alarm]
    rows = [column[0].first_row for column in columns] + [column[-1].end_row for column in columns[-1:]]
    held = [*strongest, *strongest[-1:]]  # a step lasts to the end of its window
    line = {"type": "scatter", "mode": "lines", "xaxis": "x", "yaxis": "y", "x": rows}
    return [
        line | {"y": [window.threshold for window in held], "hoverinfo": "skip",
                "line": {"shape": "hv", "color": AMBER, "dash": "dash", "width": 1.5}},
        line | {"y": [_height(window) for window in held], "hoverinfo": "text", "hovertext": list(map(_said, held)),
                "line": {"shape": "hv", "color": BLUE, "width": 1.5}},
        line | {"mode": "markers", "x": [window.first_row for window in alarms], "y": list(map(_height, alarms)),
                "hoverinfo": "text", "hovertext": list(map(_said, alarms)), "marker": {"color": RED, "size": 6}},
    ]


def strips(result: Result) -> list[Strip]:
    """What happened, from the world's change down to the new model."""
    documented = [Mark(row=row, said="no alert" if delay is None else f"alert after {delay:,} rows")
                  for row, delay in (result.delay_rows or {}).items()]
    known = [Strip(name="documented", colour=BLUE, symbol="diamond-tall", marks=documented)]
    heard = [Strip(name="detector", colour=AMBER, symbol="cross",
                   marks=[Mark(row=f.row, said=f"{f.detector}: the loss {'rose' if f.rose else 'fell'}")
                          for f in result.firings])]
    return [
        *(known if result.delay_rows is not None else []),
        Strip(name="alert", colour=RED, symbol="triangle-down",
              marks=[Mark(row=a.row, said=plain(a.sentence)) for a in result.alerts]),
        Strip(name="began about", colour=AMBER, symbol="triangle-left",
              marks=[Mark(row=a.onset_row, said=f"says the alert at row {a.row:,}") for a in result.alerts]),
        *(heard if result.detectors else []),
        Strip(name="training", colour=GREY, symbol="circle",
              marks=[Mark(row=d.row, said=plain(d.trigger)) for d in result.decisions if d.verdict == "trained"]),
        Strip(name="new model", colour=GREEN, symbol="diamond",
              marks=[Mark(row=s.row, said=plain(f"version {s.version}: {s.reason}")) for s in result.swaps]),
    ]


def marks(strip: Strip, y: int) -> Trace:
    """The strip in line `y` of its panel."""
    return {
        "type": "scatter", "mode": "markers", "xaxis": "x", "yaxis": "y2", "x": [mark.row for mark in strip.marks],
        "y": [y] * len(strip.marks), "marker": {"color": strip.colour, "symbol": strip.symbol, "size": 9},
        "hoverinfo": "text", "hovertext": [f"{strip.name}: row {mark.row:,}<br>{mark.said}" for mark in strip.marks],
    }


def _height(window: Window) -> float:
    return max(window.evidence, FLOOR)


def _said(window: Window) -> str:
    return (f"rows {window.first_row:,} to {window.end_row:,}<br>evidence {window.evidence:.1f}, "
            f"threshold {window.threshold:.1f}<br>{plain(window.sentence)}")
