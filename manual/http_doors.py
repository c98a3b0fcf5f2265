"""The HTTP doors, from their OpenAPI documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doors.app import ALWAYS, MEANINGS, door
from doors.entry import OPEN
from doors.metrics import DoorMetrics
from doors.settings import LOOPBACK, DoorSettings
from doors.tokens import Tokens
from manual.json_types import fields, words
from manual.markdown import code, table
from producers.api.routes import routes as ingestion_routes
from schemas.pipeline import Pipeline, load_pipeline
from stream_apps.predict.routes import routes as prediction_routes
from telemetry.metrics import ServiceMetrics

INTRODUCTION = """# HTTP doors

A running door shows its document at `/docs` and gives it at `/docs/openapi.json`, with the features of its pipeline.
Every request but those to `/healthz`, `/readyz` and `/docs` needs `Authorization: Bearer TOKEN`. How to use the doors:
[ingestion](../ingestion.md), [predictions](../predictions.md).

"""
PIPELINE = Path(__file__).parents[1] / "pipelines" / "payments.toml"
NOBODY: Any = None  # who answers a route's requests; a document has none


def page() -> str:
    """The page."""
    pipeline = load_pipeline(PIPELINE)
    doors = {"The ingestion API": _document(pipeline, ingestion_routes(pipeline, NOBODY, NOBODY)),
             "The prediction API": _document(pipeline, prediction_routes(pipeline, NOBODY, 0.0))}
    shapes = {name: shape for document in doors.values() for name, shape in document["components"]["schemas"].items()}
    told = [f"## {title}\n\n{''.join(_routes(document, everywhere=False))}" for title, document in doors.items()]
    return (INTRODUCTION + "".join(told) + "## Every door\n\n"
            + "".join(_routes(next(iter(doors.values())), everywhere=True)) + "Every other route may also answer\n\n"
            + table(("status", "when", "answer"), [(str(status), MEANINGS[status], "[Problem](#problem)")
                                                   for status in ALWAYS])
            + "## Shapes of answers\n\n"
            + "".join(f"### {name}\n\n{fields(shape)}" for name, shape in sorted(shapes.items())))


def _document(pipeline: Pipeline, handlers: list[Any]) -> dict[str, Any]:
    settings = DoorSettings(host=LOOPBACK, port=0, tokens=Tokens([]))
    entry: Any = door(handlers, settings, title=pipeline.name, description="", routes={}, trouble=str,
                      metrics=DoorMetrics(ServiceMetrics()))
    return entry.app.openapi_schema.to_schema()


def _routes(document: Mapping[str, Any], *, everywhere: bool) -> list[str]:
    return [_route(f"{method.upper()} {path}", route, () if everywhere else ALWAYS)
            for path, methods in document["paths"].items() if (path in OPEN) is everywhere
            for method, route in methods.items()]


def _route(name: str, route: Mapping[str, Any], left_out: tuple[int, ...]) -> str:
    asked = [(code(p["name"]), words(p["schema"]), p.get("description", "")) for p in route.get("parameters", ())]
    body = route.get("requestBody", {}).get("content", {})
    bodies = f"Body: {', '.join(map(code, body))}.\n\n" if body else ""
    parameters = table(("parameter", "what it may be", "what it means"), asked) if asked else ""
    answers = [(status, answer["description"], _shape(answer)) for status, answer in sorted(route["responses"].items())
               if int(status) not in left_out]
    return f"### {name}\n\n{route['description']}\n\n{bodies}{parameters}{table(('status', 'when', 'answer'), answers)}"


def _shape(answer: Mapping[str, Any]) -> str:
    return " or ".join({words(kind["schema"]): None for kind in answer.get("content", {}).values()})
