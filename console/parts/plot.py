"""A plot: plotly without its tool bar, in the colours of the page, named for who cannot see it."""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import dcc, html

from console.parts.aria import aria

BLUE, GREY, RED = "#4c6ef5", "#868e96", "#e03131"
CLEAR = "rgba(0,0,0,0)"
HEIGHT = 260


def plot(id: str, label: str, data: Sequence[Mapping[str, Any]], *, height: int = HEIGHT,  # noqa: A002 - Dash's word
         **layout: Any) -> html.Div:
    """A plot of plotly's traces; `label`: what it shows; `layout`: plotly's, over ours."""
    ours = {"height": height, "margin": {"l": 44, "r": 8, "t": 8, "b": 44}, "paper_bgcolor": CLEAR,
            "plot_bgcolor": CLEAR, "font": {"size": 11, "family": "inherit"}, "autosize": True, "dragmode": False,
            "legend": {"orientation": "h", "y": 1.14}, "xaxis": axis(), "yaxis": axis()}
    graph = dcc.Graph(id=id, figure={"data": list(data), "layout": ours | layout}, responsive=True,
                      config={"displayModeBar": False}, style={"height": height})
    return html.Div(graph, role="img", style={"minHeight": height}, **aria(label=label))  # it is drawn a moment later


def axis(**more: Any) -> dict[str, Any]:
    """An axis that is not dragged, with room for its labels."""
    return {"fixedrange": True, "automargin": True, "zeroline": False, **more}


def plain(text: str) -> str:
    """Plotly reads a few tags in its texts: what comes from outside shall have none."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
