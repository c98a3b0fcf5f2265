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

Document = dict[str, Any]  # of TOML


def try_on_history(visit: Visit, text: str, draft: str, rows: int) -> Outcome:
    """Run the backtest on the newest `rows` events, once as it is and once changed."""
    base, now, changed = laid_out(text, draft, visit.file.parent)
    with tempfile.TemporaryDirectory() as place:
        files = {name: Path(place) / f"{name}.toml" for name in ("base", NOW, CHANGED)}
        for file, content in zip(files.values(), (base, now, changed), strict=True):
            file.write_text(tomlkit.dumps(content), "utf-8")
        return visit.site.orders.run("backtest", "--topic", "--pipeline", str(files["base"]), "--policy",
                                     str(files[NOW]), "--policy", str(files[CHANGED]), "--last", str(rows),
                                     patience=PATIENCE_SECONDS)


def laid_out(text: str, draft: str, folder: Path) -> tuple[Document, Document, Document]:
    """A pipeline, and the policies that laid over it make a definition and its draft. A policy replaces keys and cannot
    take one out: so the pipeline has of theirs those alone that both name. `folder`: of the pipeline's file, which the
    golden set is named from. Pure."""
    now, changed = _tables(text, folder), _tables(draft, folder)
    both = {table: {key: value for key, value in keys.items() if key in changed.get(table, {})}
            for table, keys in now.items()}
    return tomlkit.parse(text).unwrap() | both, now, changed


def _tables(text: str, folder: Path) -> Document:
    """Of a definition, what a policy may have."""
    document = tomlkit.parse(text).unwrap()
    tables = {table: document[table] for table in TABLES if table in document}
    if "golden" in tables.get("gate", {}):
        tables["gate"]["golden"] = str(folder / tables["gate"]["golden"])
    return tables


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
