"""The route of the prediction API: one event or an array of them in, answers or what is wrong out."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter
from msgspec import Struct

from doors.app import AnyRequest, problems
from doors.body import too_large
from doors.described import whole_schema, with_body
from doors.problem import Problem, Refused, RowProblem, refusal, told
from doors.rows import array_rows
from doors.settings import BATCH_BYTES, MOST_ROWS, SINGLE_BYTES
from schema_registry.errors import RegistryAway
from schemas.codec import event_type
from schemas.pipeline import Pipeline
from stream_apps.predict.desk import Answer, Desk, NotReady
from stream_apps.predict.event_log import NotConfirmed
from stream_apps.predict.questions import Unanswerable

ROUTES = {"/predict": BATCH_BYTES}
"""How many bytes a body may have, by path; a single event may have less."""
RETRY_SECONDS = 1
JSON = "application/json"
_REMEDIES = {
    "malformed": "send one JSON object in UTF-8",
    "invalid": "send what the pipeline declares: see /docs",
    "timestamp": "send epoch milliseconds or RFC 3339",
    "future": "see to the sender's clock",
    "poison": "send other values: the model has no finite answer to these",
}
_TIMES = ("timestamp", "future")

Explain = Annotated[bool, QueryParameter(name="explain", description=(
    "Also say what each feature added to the score: as far as that is found in its own time limit."))]


class Answers(Struct, frozen=True, kw_only=True):
    """An answer a row, in order; null where there is none: `refused` says why, row by row."""

    answers: list[Answer | None]
    refused: list[RowProblem]


def routes(pipeline: Pipeline, desk: Desk, explain_seconds: float) -> list[HTTPRouteHandler]:
    """POST /predict of one pipeline."""
    event = whole_schema(event_type(pipeline, [feature.name for feature in pipeline.features]))
    body = {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": MOST_ROWS}]}

    @post("/predict", status_code=200, name="predict", operation_class=with_body({JSON: body}),
          summary="Predict one event or many", description=(
              "Answers an event, or each of an array, with the models that score the stream. 200 once Kafka has the "
              "events; they are scored there too, and that prediction is the one on record."),
          responses=problems(422) | {207: ResponseSpec(
              Answers, description="The rows that fit are answered, and in Kafka; the others are not.",
              generate_examples=False)})
    async def predict(request: AnyRequest, *, explain: Explain = False) -> Response[Answer | Answers]:
        content = await request.body()
        many = content.lstrip()[:1] == b"["
        found = await _answered(desk, _rows(content, many=many), explain_seconds if explain else None)
        if not many:
            return Response(_single(found[0]))
        answers = _numbered(found)
        return Response(answers, status_code=207 if answers.refused else 200)

    return [predict]


async def _answered(desk: Desk, rows: Sequence[bytes], seconds: float | None) -> Sequence[Answer | Unanswerable]:
    try:
        return await desk.answer(rows, seconds)
    except NotReady as error:
        raise refusal(503, str(error), "this pipeline", "ask again later", retry_after=RETRY_SECONDS) from error
    except NotConfirmed as error:
        raise refusal(503, str(error), "Kafka", "ask again, with the same event ids",
                      retry_after=RETRY_SECONDS) from error
    except RegistryAway as error:
        raise refusal(503, str(error), "the schema registry", "ask again later", retry_after=RETRY_SECONDS) from error


def _rows(content: bytes, *, many: bool) -> list[bytes]:
    if not many:
        if len(content) > SINGLE_BYTES:
            raise too_large(SINGLE_BYTES)
        return [content]
    rows = array_rows(content, "send an event, or an array of events")
    if not rows:
        raise refusal(422, "there are no rows", "the body", "send at least one")
    if len(rows) > MOST_ROWS:
        raise refusal(413, f"{len(rows)} rows are more than {MOST_ROWS}", "the body", "send several smaller ones")
    return rows


def _single(found: Answer | Unanswerable) -> Answer:
    if isinstance(found, Answer):
        return found
    wrong = _row_problem(0, found)
    status = HTTPStatus.BAD_REQUEST if found.reason == "malformed" else HTTPStatus.UNPROCESSABLE_ENTITY
    raise refusal(status, wrong.what, wrong.where, wrong.remedy)


def _numbered(found: Sequence[Answer | Unanswerable]) -> Answers:
    wrong = [_row_problem(number, one) for number, one in enumerate(found) if isinstance(one, Unanswerable)]
    if len(wrong) == len(found):
        first, more = told(wrong)
        raise Refused(422, Problem(what="no row can be answered", where="rows", remedy="mend them", rows=first,
                                   more_rows=more))
    return Answers(answers=[one if isinstance(one, Answer) else None for one in found], refused=wrong)


def _row_problem(number: int, wrong: Unanswerable) -> RowProblem:
    what, _, where = wrong.detail.partition(" - at ")
    place = "$.ts" if wrong.reason in _TIMES else where.strip("`") or "$"
    return RowProblem(row=number, what=what, where=place, remedy=_REMEDIES[wrong.reason])
