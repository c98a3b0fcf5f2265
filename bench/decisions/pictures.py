"""The two pictures of docs/decisions-benchmark.md, from the stored result's raw figures."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.decisions.delays import PATIENCE, STRICT
from bench.decisions.realised import LIMIT
from bench.decisions.rules import OURS

RATIOS, DELAYS = "decisions-ratios.svg", "decisions-delays.svg"
_COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#888888")
_LEAST = 0.01  # where a ratio of 0 is drawn


def draw(raw: dict[str, Any], folder: Path) -> None:
    """Write both into `folder`; the same figures give the same bytes."""
    mpl.rcParams["svg.hashsalt"] = "automl-stream"
    ratios([cell for cell in raw["realised"] if not cell["excepted"]]).savefig(folder / RATIOS, metadata={"Date": None})
    delays(raw["delays"]).savefig(folder / DELAYS, metadata={"Date": None})


def ratios(cells: list[dict[str, Any]]) -> Figure:
    """Every case with its levels side by side: dots, with their intervals, on a logarithmic axis."""
    cases = list(dict.fromkeys(cell["case"] for cell in cells))
    levels = list(dict.fromkeys(cell["level"] for cell in cells))
    figure = Figure(figsize=(9, 1.2 + 0.28 * len(cases)), layout="constrained")
    axes = figure.subplots()
    for place, level in enumerate(levels):
        members = [cell for cell in cells if cell["level"] == level]
        heights = [cases.index(cell["case"]) + 0.14 * (place - (len(levels) - 1) / 2) for cell in members]
        dots = [max(_LEAST, cell["ratio"]) for cell in members]
        ends = [[dot - min(dot, max(_LEAST, cell["low"])) for dot, cell in zip(dots, members, strict=True)],
                [max(dot, cell["high"]) - dot for dot, cell in zip(dots, members, strict=True)]]
        axes.errorbar(dots, heights, xerr=ends, fmt="o", markersize=3, linewidth=0.8, label=level,
                      color=_COLOURS[place % len(_COLOURS)])
    axes.axvline(1, color="#333333", linewidth=0.8)
    axes.axvline(LIMIT, color="#bb3333", linewidth=0.8, linestyle="--")
    _scale(axes, cases, "realised / declared by stream, rows of window / reference (dashed: limit of a lower bound)")
    return figure


def delays(found: dict[str, dict[str, float | None]]) -> Figure:
    """Every change, a mark a rule; what is missed lies at the right edge."""
    changes = list(found)
    rules = [rule for rule in next(iter(found.values())) if rule != STRICT]
    figure = Figure(figsize=(9, 1.2 + 0.5 * len(changes)), layout="constrained")
    axes = figure.subplots()
    for place, rule in enumerate(rules):
        windows = [found[change][rule] or 2.0 * PATIENCE for change in changes]
        heights = [number + 0.1 * (place - (len(rules) - 1) / 2) for number in range(len(changes))]
        mark, size = ("D", 7) if rule == OURS.name else ("o", 4)
        axes.plot(windows, heights, mark, markersize=size, label=rule, color=_COLOURS[place % len(_COLOURS)])
    axes.axvline(1.4 * PATIENCE, color="#333333", linewidth=0.8, linestyle=":")
    _scale(axes, changes, "windows until the change is found, at equal realised rate (right of the dots: missed)")
    return figure


def _scale(axes: Axes, names: list[str], title: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.figure.legend(fontsize=7, loc="outside lower center", ncols=5, frameon=False)
