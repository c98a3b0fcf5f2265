"""Routes behind the way in: a Litestar application, whose every answer has a documented shape."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import structlog
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp
from msgspec import Struct

from doors.entry import DOCS, Entry
from doors.metrics import DoorMetrics
from doors.page import Page
from doors.problem import Problem, Refused
from doors.settings import DoorSettings

AnyRequest = Request[Any, Any, Any]

MEANINGS = {
    400: "The body or the request cannot be read.",
    401: "No token that is known here.",
    408: "The request did not come in time.",
    409: "Something else was said before.",
    413: "The body is too large.",
    415: "A kind or an encoding of body that is not known here.",
    422: "The body can be read, and does not fit the pipeline.",
    429: "Too much of this caller at once; see Retry-After.",
    431: "The headers are too large.",
    500: "A defect of the service.",
    503: "The service cannot do it now; see Retry-After.",
}
ALWAYS = (400, 401, 408, 413, 415, 429, 431, 503)

log = structlog.get_logger()


class Health(Struct, frozen=True):
    """Whether the service can do its work, and if not, why."""

    ok: bool
    trouble: str = ""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """What a route documents: these answers, and those that every route behind the way in may give."""
    return {status: ResponseSpec(Problem, description=MEANINGS[status], generate_examples=False)
            for status in sorted({*ALWAYS, *statuses})}


def door(handlers: Sequence[HTTPRouteHandler], settings: DoorSettings, *, title: str, description: str,
         routes: Mapping[str, int], trouble: Callable[[], str], metrics: DoorMetrics, **options: Any) -> ASGIApp:
    """`handlers` behind tokens and limits, beside /healthz, /readyz and /docs.

    `routes`: how many bytes a body may have, by path; `trouble`: why nothing can be done now, empty when all is well;
    `options`: further ones of Litestar, such as `lifespan`.
    """

    @get("/healthz", security=[], description="The process runs.")
    async def healthz() -> Health:
        return Health(ok=True)

    @get("/readyz", security=[], description="Whether requests can be served now.",
         responses={503: ResponseSpec(Health, description="Not now.", generate_examples=False)})
    async def readyz() -> Response[Health]:
        found = trouble()
        return Response(Health(not found, found), status_code=503 if found else 200)

    app = Litestar(
        [*handlers, healthz, readyz], logging_config=None, request_max_body_size=None,
        exception_handlers={Refused: _refused, HTTPException: _not_routed, Exception: _defect},
        openapi_config=OpenAPIConfig(
            title=title, version=version("automl-stream"), description=description, path=DOCS,
            render_plugins=[Page(), JsonRenderPlugin()], security=[{"token": []}],
            components=Components(security_schemes={"token": SecurityScheme(type="http", scheme="bearer")})),
        **options)
    metrics.ready.set_function(lambda: not trouble())
    return Entry(app, settings, routes, metrics)


def _refused(_: AnyRequest, refused: Refused) -> Response[Problem]:
    return Response(refused.problem, status_code=refused.status, headers=dict(refused.headers))


def _not_routed(request: AnyRequest, error: HTTPException) -> Response[Problem]:
    """What Litestar itself refuses: an unknown path or method, a parameter that does not fit."""
    what = error.detail if error.status_code == HTTPStatus.BAD_REQUEST else HTTPStatus(error.status_code).phrase
    problem = Problem(what=what, where=f"{request.method} {request.url.path}", remedy=f"see {DOCS}")
    return Response(problem, status_code=error.status_code, headers=error.headers)


def _defect(request: AnyRequest, error: Exception) -> Response[Problem]:
    log.error("a request met a defect", path=request.url.path, exc_info=error)
    return Response(Problem(what="the service has a defect", where=f"{request.method} {request.url.path}",
                            remedy="report it with the service's log; what this request asked for may not be done"),
                    status_code=500)
