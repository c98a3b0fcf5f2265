"""A table: AG Grid, by keyboard and screen reader, every value shown as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_ag_grid as dag
from dash import html

from console.parts.aria import aria

ROW_PIXELS, HEAD_PIXELS = 36, 40
MOST_SHOWN = 12


def column(field: str, name: str, **options: Any) -> dict[str, Any]:
    """A column; `options`: further ones of AG Grid."""
    return {"field": field, "headerName": name, "headerTooltip": name, **options}


def moment_column(field: str, name: str, **options: Any) -> dict[str, Any]:
    """A column of moments: rows hold epoch ms in `field`; shown in the browser's zone, UTC on hover."""
    return column(field, name, valueFormatter={"function": "moment(params.value)"},
                  tooltipValueGetter={"function": "utc(params.value)"}, width=180, **options)


def table(id: str, label: str, columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], *,  # noqa: A002
          select: bool = False, key: str | None = None, shown: int = MOST_SHOWN, **options: Any) -> html.Div:
    """A table of rows. `label`: what a screen reader calls it; `select`: one row may be chosen, by click, Enter or
    space; `key`: field that tells rows apart, so that a choice outlives new rows."""
    height = HEAD_PIXELS + ROW_PIXELS * max(1, min(len(rows), shown)) + 20
    grid: dict[str, Any] = {"rowHeight": ROW_PIXELS, "headerHeight": HEAD_PIXELS, "tooltipShowDelay": 300,
                            "ensureDomOrder": True, "suppressMovableColumns": True, "animateRows": False,
                            "theme": {"function": "consoleTheme(themeQuartz)"}}
    if select:
        grid["rowSelection"] = {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True}
    more: dict[str, Any] = {"getRowId": f"params.data.{key}"} if key else {}
    return html.Div(dag.AgGrid(
        id=id, columnDefs=[dict(c) for c in columns], rowData=[dict(row) for row in rows],
        defaultColDef={"sortable": True, "resizable": True, "wrapHeaderText": True, "minWidth": 90},
        dashGridOptions=grid | options, style={"height": height, "width": "100%"}, className="table",
        **more), role="group", **aria(label=label))
