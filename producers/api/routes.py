"""The routes of the ingestion API, and what the OpenAPI document says of their bodies."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from doors.app import AnyRequest, problems
from doors.described import whole_schema, with_body
from doors.entry import CALLER
from doors.settings import BATCH_BYTES, SINGLE_BYTES
from producers.api.batch import CSV, JSON, NDJSON
from producers.api.intake import Acknowledged, Intake
from schemas.codec import event_type
from schemas.messages import Label
from schemas.pipeline import Pipeline

ROUTES = {"/events": SINGLE_BYTES, "/events/batch": BATCH_BYTES, "/labels": SINGLE_BYTES, "/labels/batch": BATCH_BYTES}
"""How many bytes a body may have, by path."""

BadRows = Annotated[Literal["refuse", "skip"], QueryParameter(
    name="bad_rows", description="refuse: a bad row stops the batch; skip: the others are sent, with status 207.")]


def routes(pipeline: Pipeline, events: Intake, labels: Intake) -> list[HTTPRouteHandler]:
    """Singly and in batches: events and labels of one pipeline."""
    event = event_type(pipeline, [feature.name for feature in pipeline.features])
    return [*_pair("event", events, whole_schema(event)), *_pair("label", labels, whole_schema(Label))]


def _pair(noun: str, intake: Intake, schema: Mapping[str, Any]) -> tuple[HTTPRouteHandler, HTTPRouteHandler]:
    @post(f"/{noun}s", status_code=200, name=noun, operation_class=with_body({JSON: schema}),
          summary=f"One {noun}", responses=problems(409, 422),
          description=f"Takes one {noun}. 200 once every replica of Kafka has it.")
    async def one(request: AnyRequest) -> Acknowledged:
        return await intake.one(await request.body(), request.scope["state"][CALLER])

    array = {"type": "array", "items": schema, "minItems": 1}
    partly = ResponseSpec(Acknowledged, description="All rows that are not refused are acknowledged.",
                          generate_examples=False)

    @post(f"/{noun}s/batch", status_code=200, name=f"{noun}s", summary=f"Many {noun}s",
          operation_class=with_body({JSON: array, NDJSON: {"type": "string"}, CSV: {"type": "string"}}),
          responses=problems(422) | {207: partly},
          description=f"Takes {noun}s as a JSON array, NDJSON or CSV. 200 once every replica of Kafka has all of them.")
    async def many(request: AnyRequest, bad_rows: BadRows = "refuse") -> Response[Acknowledged]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        taken = await intake.many(await request.body(), kind, request.scope["state"][CALLER], skip=bad_rows == "skip")
        return Response(taken, status_code=207 if taken.refused else 200)

    return one, many
