"""The connection below the door: uvicorn, with patience and memory for headers that have an end."""

import asyncio
import logging
import os
import signal
import sys
from typing import Any, cast

import structlog
import uvicorn
from litestar.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from doors.problem import encode_problem, refusal
from doors.settings import DoorSettings, Limits

STOP_SECONDS = 4  # for requests under way; the supervisor's patience is 6 s

log = structlog.get_logger()


def serve(app: ASGIApp, settings: DoorSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    # uvicorn raises its signal again when it has stopped: for a door that is a good end.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    # What clients do wrong is counted, and their answer says it: they shall not fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    server(app, settings).run()


def end_with(task: asyncio.Task[None]) -> None:
    """A callback for a task without which no request is answered: the service ends, and its supervisor starts it
    anew."""
    if not task.cancelled():
        log.critical("a task of the service is over; the service ends to begin anew", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


def server(app: ASGIApp, settings: DoorSettings) -> uvicorn.Server:
    """The server, not yet running."""
    protocol = type("BoundedProtocol", (Bounded,), {"limits": settings.limits})
    return uvicorn.Server(uvicorn.Config(
        cast("Any", app), host=settings.host, port=settings.port, http=protocol, ws="none",
        loop="uvloop", lifespan="on", log_config=None, access_log=False, server_header=False,
        timeout_keep_alive=round(settings.limits.idle_seconds), timeout_graceful_shutdown=STOP_SECONDS))


class Bounded(HttpToolsProtocol):
    """A connection whose headers take so long and so many bytes at most."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for headers, unless there are connections enough."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._end(503, f"{self.limits.connections} connections are open", "try again")
        else:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._have_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers."""
        super().data_received(data)
        if self._timer is not None:
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.header_bytes:
                self._end(431, f"the headers are larger than {self.limits.header_bytes} bytes", "send fewer")

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        super().on_message_begin()
        self._expect_headers()

    def on_headers_complete(self) -> None:
        """From here on the body has its own time and size."""
        self._have_headers()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed, in the shape of every refusal."""
        self._end(400, "this is no HTTP request", f"send one of HTTP/1.1 ({msg})")

    def _expect_headers(self) -> None:
        if self._timer is None:
            self._header_bytes = 0
            self._timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _have_headers(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._end(408, f"the headers did not come within {self.limits.header_seconds:g} s", "send them faster")

    def _end(self, status: int, what: str, remedy: str) -> None:
        """Say why, unless another answer is under way, and close."""
        self._have_headers()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            content = encode_problem(refusal(status, what, "the connection", remedy).problem)
            self.transport.write(b"".join([
                STATUS_LINE[status], b"content-type: application/json\r\nconnection: close\r\ncontent-length: ",
                str(len(content)).encode(), b"\r\n\r\n", content]))
        self.transport.close()
