"""The routes of the ingestion API, and what the OpenAPI document says of their bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody
from litestar.params import Parameter

from doors.app import AnyRequest, problems
from doors.entry import CALLER
from doors.settings import BATCH_BYTES, SINGLE_BYTES
from producers.api.batch import CSV, JSON, NDJSON
from producers.api.intake import Acknowledged, Intake
from schemas.codec import event_type
from schemas.messages import Label
from schemas.pipeline import Pipeline

ROUTES = {"/events": SINGLE_BYTES, "/events/batch": BATCH_BYTES, "/labels": SINGLE_BYTES, "/labels/batch": BATCH_BYTES}
"""How many bytes a body may have, by path."""

BadRows = Annotated[Literal["refuse", "skip"], Parameter(
    query="bad_rows", description="refuse: a bad row stops the batch; skip: the others are sent, with status 207.")]


def routes(pipeline: Pipeline, events: Intake, labels: Intake) -> list[HTTPRouteHandler]:
    """Singly and in batches: events and labels of one pipeline."""
    event = event_type(pipeline, [feature.name for feature in pipeline.features])
    return [*_pair("event", events, _schema(event)), *_pair("label", labels, _schema(Label))]


def _pair(noun: str, intake: Intake, schema: Mapping[str, Any]) -> tuple[HTTPRouteHandler, HTTPRouteHandler]:
    @post(f"/{noun}s", status_code=200, name=noun, operation_class=_operation({JSON: schema}),
          summary=f"One {noun}", responses=problems(409, 422),
          description=f"Takes one {noun}. 200 once every replica of Kafka has it.")
    async def one(request: AnyRequest) -> Acknowledged:
        return await intake.one(await request.body(), request.scope["state"][CALLER])

    array = {"type": "array", "items": schema, "minItems": 1}
    partly = ResponseSpec(Acknowledged, description="All rows that are not refused are acknowledged.",
                          generate_examples=False)

    @post(f"/{noun}s/batch", status_code=200, name=f"{noun}s", summary=f"Many {noun}s",
          operation_class=_operation({JSON: array, NDJSON: {"type": "string"}, CSV: {"type": "string"}}),
          responses=problems(422) | {207: partly},
          description=f"Takes {noun}s as a JSON array, NDJSON or CSV. 200 once every replica of Kafka has all of them.")
    async def many(request: AnyRequest, bad_rows: BadRows = "refuse") -> Response[Acknowledged]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        taken = await intake.many(await request.body(), kind, request.scope["state"][CALLER], skip=bad_rows == "skip")
        return Response(taken, status_code=207 if taken.refused else 200)

    return one, many


def _operation(bodies: Mapping[str, Mapping[str, Any]]) -> type[Operation]:
    """An operation whose body the handler reads itself, so that Litestar cannot know it."""

    @dataclass
    class WithBody(Operation):
        def __post_init__(self) -> None:
            content = {kind: OpenAPIMediaType(schema=dict(schema)) for kind, schema in bodies.items()}  # type: ignore[arg-type]
            self.request_body = RequestBody(content=content, required=True)

    return WithBody


def _schema(kind: Any) -> dict[str, Any]:
    """JSON Schema of a type, whole: Litestar keeps no components but its own."""
    (_,), components = msgspec.json.schema_components((kind,), ref_template="{name}")

    def whole(part: Any) -> Any:
        if isinstance(part, dict):
            return whole(components[part["$ref"]]) if "$ref" in part else {k: whole(v) for k, v in part.items()}
        return [whole(item) for item in part] if isinstance(part, list) else part

    return whole(components[kind.__name__])
