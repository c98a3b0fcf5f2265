"""A panel: a heading that says what is asked, and what answers it."""

from typing import Any

import dash_mantine_components as dmc
from dash import html


def panel(question: str, *children: Any, aside: Any = None) -> html.Section:
    """A part of a page with its heading; `aside` stands at its right."""
    heading = dmc.Group([dmc.Title(question, order=2, size="h5"), aside], justify="space-between", mb="sm")
    return html.Section([heading, *children], className="panel")


def figure_tile(name: str, value: Any, note: Any = None, *, tone: str | None = None, href: str | None = None) -> Any:
    """One figure with its name; `tone`: good, watch or bad, said by colour and by `note`."""
    content = [html.Div(name, className="tile-name"), html.Div(value, className="tile-value"),
               html.Div(note or "\u00a0", className="tile-note")]
    name_of_class = f"tile tile-{tone}" if tone else "tile"
    return dmc.Anchor(content, href=href, className=name_of_class, underline="never") if href else html.Div(
        content, className=name_of_class)


def facts(*pairs: tuple[str, Any]) -> html.Dl:
    """Names and values, one pair a line."""
    return html.Dl([part for name, value in pairs for part in (html.Dt(name), html.Dd(value))], className="facts")
