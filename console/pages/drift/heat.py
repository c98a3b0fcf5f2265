"""The map: features over windows, coloured by their evidence in thresholds."""

from zoneinfo import ZoneInfo

import numpy as np
from dash import html

from console.pages.drift.reading import DriftMap
from console.parts.aria import aria
from console.parts.plot import axis, plain, plot
from console.parts.when import local_text, utc_text

ROW_PIXELS, MOST_PIXELS, FRAME_PIXELS = 18, 520, 60
MOST_EVIDENCE = 2.0  # thresholds; beyond, a colour says no more
NAME_LETTERS, FEW_LABELS = 22, 8
# Readable on dark and on light: what is nothing is hardly there.
COLOURS = ((0.0, "rgba(128,132,140,0.08)"), (0.3, "rgba(92,124,250,0.35)"), (0.4999, "rgba(92,124,250,0.9)"),
           (0.5, "rgb(245,159,0)"), (1.0, "rgb(224,49,49)"))


def heat_map(found: DriftMap, zone: ZoneInfo) -> html.Div:
    """The picture; a click on a cell has the window's label as x and the feature's name, made plain, as y."""
    columns, rows = labels(found, zone), [plain(name) for name in found.names]
    shown = np.round(np.minimum(found.evidence, MOST_EVIDENCE), 2)
    alarms = [(column, plain(f.name)) for column, window in zip(columns, found.windows, strict=True)
              for f in window.features if f.alarm]
    data = [
        {"type": "heatmap", "x": columns, "y": rows, "z": [[None if np.isnan(z) else z for z in line]
                                                           for line in shown.tolist()],
         "zmin": 0, "zmax": MOST_EVIDENCE, "colorscale": COLOURS, "showscale": False, "xgap": 1, "ygap": 1,
         "hovertemplate": "%{y}, %{x}<br>evidence %{z} of the threshold<extra></extra>"},
        {"type": "scatter", "mode": "markers", "x": [x for x, _ in alarms], "y": [y for _, y in alarms],
         "marker": {"symbol": "diamond", "size": 7, "color": "#fff", "line": {"color": "#000", "width": 1}},
         "hoverinfo": "skip"},
    ]
    few = columns[:: max(1, -(-len(columns) // FEW_LABELS))]
    graph = plot(
        "drift-heat", "Evidence by feature and window; the table below has the same figures", data,
        height=FRAME_PIXELS + ROW_PIXELS * max(4, len(rows)), showlegend=False, hovermode="closest", clickmode="event",
        margin={"l": 170, "r": 8, "t": 4, "b": 34},
        xaxis=axis(type="category", categoryarray=columns, tickvals=few, ticktext=[text[5:16] for text in few],
                   tickangle=0, showgrid=False, range=[-0.5, len(columns) - 0.5]),
        yaxis=axis(type="category", categoryarray=rows, tickvals=rows, ticktext=[plain(_short(n)) for n in found.names],
                   showgrid=False, automargin=False, range=[len(rows) - 0.5, -0.5]))
    return html.Div(graph, className="heat", style={"maxHeight": MOST_PIXELS}, tabIndex=0, role="group",
                    **aria(label="Map of drift"))


def labels(found: DriftMap, zone: ZoneInfo) -> list[str]:
    """What each window is called: its start there, or in UTC where an hour comes twice."""
    starts = [window.window_start for window in found.windows]
    local = [local_text(start, zone) for start in starts]
    return local if len(set(local)) == len(starts) else [utc_text(start) for start in starts]


def key() -> html.P:
    """What the colours and signs say."""
    return html.P([html.Span(className="key key-low"), "evidence below the threshold ",
                   html.Span(className="key key-high"), "significant ", html.Span("◆", className="key-alarm"),
                   " alarm: significant and large enough to matter"], className="note")


def _short(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…"

