"""A change tried on recent history: both definitions through the whole loop, side by side."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from dash import html

from console.orders import Outcome
from console.parts.confirm import said
from console.parts.figures import UNKNOWN, count, figure, share
from console.site import Visit
from schemas.pipeline import Pipeline

PATIENCE_SECONDS = 600.0
TABLES = ("windows", "drift", "retraining", "gate", "rollout")
NOW, CHANGED = "now", "changed"


def try_on_history(visit: Visit, text: str, draft: str, rows: int) -> Outcome:
    """Run the backtest on the newest `rows` events, once as it is and once changed."""
    with tempfile.TemporaryDirectory() as place:
        base, now, changed = (Path(place) / name for name in ("base.toml", f"{NOW}.toml", f"{CHANGED}.toml"))
        base.write_text(text, "utf-8")
        now.write_text("", "utf-8")
        document = tomlkit.parse(draft)
        tables = {table: document[table] for table in TABLES if table in document}
        changed.write_text(tomlkit.dumps(tables), "utf-8")
        return visit.site.orders.run("backtest", "--topic", "--pipeline", str(base), "--policy", str(now), "--policy",
                                     str(changed), "--last", str(rows), patience=PATIENCE_SECONDS)


def compared(outcome: Outcome, pipeline: Pipeline) -> Any:
    """A table of both, or why there is none."""
    if not outcome.done or not isinstance(outcome.document, dict):
        return said("Preview", outcome)
    now, changed = (outcome.document["policies"][name] for name in (NOW, CHANGED))
    rows = [html.Tr([html.Th(name, scope="row"), html.Td(before), html.Td(after)])
            for name, before, after in zip(_NAMES, _figures(now, pipeline), _figures(changed, pipeline), strict=True)]
    head = html.Thead(html.Tr([html.Th("", scope="col"), html.Th("as it is", scope="col"),
                               html.Th("changed", scope="col")]))
    return html.Div([html.Table([head, html.Tbody(rows)], className="compared"),
                     html.P(outcome.said, className="note")])


_NAMES = ("Windows closed", "Windows in alarm", "Alerts", "Rounds of training", "Promotions", "Rollbacks", "Quality",
          "Seconds of fitting")


def _figures(result: Mapping[str, Any], pipeline: Pipeline) -> list[str]:
    if pipeline.task == "regression":
        quality = f"mean absolute error {figure(result.get('mae'))}"
    else:
        quality = UNKNOWN if result.get("accuracy") is None else f"accuracy {share(result['accuracy'])}"
    return [count(result["windows"]), count(result["windows_in_alarm"]), count(len(result["alerts"])),
            count(result["retrainings"]), count(result["promotions"]), count(result["rollbacks"]), quality,
            figure(result["cost"]["fit_seconds"])]
