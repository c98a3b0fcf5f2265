"""The way in: the token, a place, the body; only then the routes. An ASGI application around another."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from itertools import product

import structlog
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
    WebSocketReceiveMessage,
)

from doors.admission import Admission
from doors.body import Body, ClientGone
from doors.metrics import DoorMetrics
from doors.problem import Problem, Refused, encode_problem
from doors.settings import SINGLE_BYTES, DoorSettings

DOCS = "/docs"
OPEN = ("/healthz", "/readyz", DOCS, f"{DOCS}/openapi.json")
CALLER = "caller"
UNKNOWN = Problem(what="no token that is known here", where="header 'Authorization'",
                  remedy="send 'Authorization: Bearer TOKEN' with a token of this door")
UNHEARD = 499  # counted where the client left before there was an answer
TOLD = (429, 500, 503)  # of which alerts tell

log = structlog.get_logger()


class Entry:
    """Lets requests through to `app` with their whole body; the state `caller` is the name of their token."""

    def __init__(self, app: ASGIApp, settings: DoorSettings, routes: Mapping[str, int], metrics: DoorMetrics) -> None:
        """`routes`: how many bytes a body may have, by path."""
        self.app = app
        self._tokens = settings.tokens
        self._limits = settings.limits
        self._routes = routes
        self._admission = Admission(settings.limits)
        self._metrics = metrics
        metrics.under_way.set_function(lambda: self._admission.under_way)
        for route, status in product(routes, TOLD):
            metrics.requests.labels(route, status)  # a rate sees the first only where there was a 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, answer, path = time.perf_counter(), _Answer(send), scope["path"]
        try:
            if path in OPEN:
                await self.app(scope, receive, answer)
            else:
                await self._let_in(scope, receive, answer)
        except ClientGone:
            log.info("a client left before its request was complete", path=path)
        finally:
            route = path if path in self._routes or path in OPEN else "other"
            self._metrics.requests.labels(route, answer.status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - began)

    async def _let_in(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        body = Body(receive, headers)
        try:
            caller = self._caller(headers)
            with self._admission.place(caller) as place:
                content = await body.read(self._routes.get(scope["path"], SINGLE_BYTES), place,
                                          self._limits.body_seconds)
                scope["state"][CALLER] = caller
                await self.app(scope, _Received(content, receive), send)
        except Refused as refused:
            if refused.status != HTTPStatus.REQUEST_TIMEOUT:
                await body.drain(self._limits.body_seconds)
            await _refuse(refused, send, close=not body.complete)

    def _caller(self, headers: Mapping[bytes, bytes]) -> str:
        caller = self._tokens.caller(headers.get(b"authorization"))
        if caller is None:
            raise Refused(401, UNKNOWN, {"WWW-Authenticate": "Bearer"})
        return caller


async def _refuse(refused: Refused, send: Send, *, close: bool) -> None:
    """`close`: something of the request may still come, which must not be taken for another."""
    content = encode_problem(refused.problem)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **refused.headers}
    if close:
        headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": refused.status,
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": content, "more_body": False})


class _Answer:
    """Passes the answer on, and notes its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = UNHEARD

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class _Received:
    """A body that is there already, then what else the server says."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
