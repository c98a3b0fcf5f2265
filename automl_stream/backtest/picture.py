"""The picture of one policy, as plotly's figure: three panels over one axis of rows.

Heights are in pixels, whatever the width; the page adds what depends on light or dark.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from automl_stream.backtest.feature_map import by_evidence, feature_map
from automl_stream.backtest.result import Result, Window
from automl_stream.backtest.timeline import BLUE, Strip, evidence, marks, plain, strips

MOST_CELLS = 20_000
NAME_LETTERS = 18

EVIDENCE_PIXELS, STRIP_PIXELS, FEATURE_PIXELS = 200, 28, 16
MARGIN_PIXELS, TITLE_PIXELS, AXIS_PIXELS = 36, 34, 84
TITLES = ("Evidence of the strongest feature, and its threshold", "What followed", "Evidence by feature")
GRID = "rgba(128,132,140,0.28)"
CLEAR = "rgba(0,0,0,0)"

Domain = tuple[float, float]


def windows_a_column(windows: Sequence[Window]) -> int:
    """How many windows one column of the picture stands for, by the strongest of them."""
    cells = sum(len(window.features) for window in windows)
    return max(1, -(-cells // MOST_CELLS))


def picture(result: Result) -> dict[str, Any]:
    """Data and layout of the figure."""
    step = windows_a_column(result.windows)
    columns = [result.windows[first : first + step] for first in range(0, len(result.windows), step)]
    names, lines = by_evidence(result.windows), strips(result)
    happened = [marks(strip, y) for y, strip in enumerate(lines)]
    return {
        "data": [*evidence(columns), *happened, *feature_map(columns, names)],
        "layout": _layout(result, lines, names),
    }


def _layout(result: Result, lines: Sequence[Strip], names: Sequence[str]) -> dict[str, Any]:
    height, domains = _panels(STRIP_PIXELS * len(lines), FEATURE_PIXELS * max(1, len(names)))
    return {
        "height": height + 2 * MARGIN_PIXELS, "showlegend": False, "hovermode": "closest", "font": {"size": 12},
        "margin": {"l": 40, "r": 12, "t": MARGIN_PIXELS, "b": MARGIN_PIXELS}, "hoverlabel": {"align": "left"},
        "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR,
        "xaxis": {"type": "linear", "anchor": "y2", "range": [result.rows_trained, result.rows], "tickformat": ",d",
                  "gridcolor": GRID, "zeroline": False, "title": {"text": "row of the file"}},
        "yaxis": _axis(domains[0]) | {"type": "log", "nticks": 5},
        "yaxis2": _axis(domains[1]) | _lines([strip.name for strip in lines]),
        "yaxis3": _axis(domains[2]) | _lines([_short(name) for name in names]) | {"showgrid": False},
        "annotations": [_title(title, domain) for title, domain in zip(TITLES, domains, strict=True)],
        "shapes": [_upright(row) for row in result.delay_rows or {}],
    }


def _panels(strips_pixels: int, features_pixels: int) -> tuple[int, list[Domain]]:
    """Height of all, and where each panel lies in it, from 0 at the bottom to 1."""
    pixels = (EVIDENCE_PIXELS, strips_pixels, features_pixels)
    ends = list(accumulate((pixels[0], TITLE_PIXELS + pixels[1], AXIS_PIXELS + pixels[2])))
    return ends[-1], [(max(0.0, 1 - end / ends[-1]), 1 - (end - size) / ends[-1])
                      for end, size in zip(ends, pixels, strict=True)]


def _axis(domain: Domain) -> dict[str, Any]:
    return {"domain": domain, "fixedrange": True, "gridcolor": GRID, "zeroline": False, "automargin": True,
            "tickfont": {"size": 10}}


def _lines(names: Sequence[str]) -> dict[str, Any]:
    return {"range": [max(1, len(names)) - 0.5, -0.5], "tickvals": list(range(len(names))), "ticktext": names}


def _title(title: str, domain: Domain) -> dict[str, Any]:
    return {"text": title, "xref": "paper", "yref": "paper", "x": 0, "y": domain[1], "xanchor": "left",
            "yanchor": "bottom", "showarrow": False}


def _upright(row: int) -> dict[str, Any]:
    return {"type": "line", "xref": "x", "yref": "paper", "x0": row, "x1": row, "y0": 0, "y1": 1, "layer": "below",
            "line": {"color": BLUE, "dash": "dot", "width": 1}}


def _short(name: str) -> str:
    """Names tend to differ at their ends: what is too long loses its middle."""
    half = NAME_LETTERS // 2
    return plain(name) if len(name) <= NAME_LETTERS else plain(f"{name[: half - 1]}…{name[-half:]}")
