"""Reference against window, cell by cell; and a feature's way through the windows."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from console.pages.drift.reading import DriftMap, Judged
from console.parts.plot import BLUE, GREY, RED, axis, plain, plot
from console.parts.state import nothing_yet
from console.parts.when import local_text

LABEL_LETTERS = 18


def distribution(judged: Judged) -> Any:
    """Two bars a cell: its share of the reference's rows and of the window's."""
    counts, reference = judged.feature.counts, judged.reference
    if reference is None or len(reference.counts) != len(counts):
        return nothing_yet("No distribution", "This report is older than distributions in reports, or its reference "
                           "was announced before the record began.")
    labels = [plain(label) for label in reference.labels]
    return plot(
        "drift-distribution", f"Distribution of {judged.feature.name}: share of rows in each cell, of the reference "
        "and of this window",
        [_bars("reference", labels, reference.counts, GREY), _bars("this window", labels, counts, BLUE)],
        barmode="group", bargap=0.15, yaxis=axis(ticksuffix=" %"),
        xaxis=axis(tickvals=list(range(len(labels))), ticktext=[_short(label) for label in labels], tickangle=-40))


def history(found: DriftMap, name: str, zone: ZoneInfo) -> Any:
    """Effect of one feature in every window shown; alarms are marked."""
    points = [(window, feature) for window in found.windows for feature in window.features if feature.name == name]
    starts = [local_text(window.window_start, zone) for window, _ in points]
    effects = [round(feature.effect, 3) for _, feature in points]
    alarms = [place for place, (_, feature) in enumerate(points) if feature.alarm]
    return plot(
        "drift-history", f"Effect of {name} by window",
        [{"type": "scatter", "mode": "lines", "x": starts, "y": effects, "name": "effect", "line": {"color": BLUE}},
         {"type": "scatter", "mode": "markers", "x": [starts[k] for k in alarms], "y": [effects[k] for k in alarms],
          "name": "alarm", "marker": {"color": RED, "size": 8, "symbol": "diamond"}}],
        xaxis=axis(nticks=6))


def _bars(name: str, labels: Sequence[str], counts: Sequence[int], colour: str) -> dict[str, Any]:
    rows = max(1, sum(counts))
    return {"type": "bar", "name": name, "x": list(range(len(labels))), "marker": {"color": colour},
            "y": [round(100 * count / rows, 3) for count in counts], "customdata": labels,
            "hovertemplate": "%{customdata}<br>%{y:.3g} %<extra>" + name + "</extra>"}


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LETTERS else f"{label[: LABEL_LETTERS - 1]}…"
