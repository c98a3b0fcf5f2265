"""/metrics and /healthz of a service, on one port: of loopback unless told otherwise."""

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import AddressValueError, IPv4Address

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest

from telemetry.metrics import ServiceMetrics

LOOPBACK = "127.0.0.1"
LAST_PORT = 65_535


class UnusableEndpoint(Exception):
    """METRICS_HOST or METRICS_PORT cannot be used; the message says which and what it must hold. Not retriable."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where a service shows its metrics and health: an IPv4 address of this machine, and a port, 0: a free one."""

    host: str = LOOPBACK
    port: int = 0


def read_endpoint(environment: Mapping[str, str]) -> Endpoint:
    """The endpoint that the environment asks for.

    Raises:
        UnusableEndpoint: naming the variable.
    """
    host, port = environment.get("METRICS_HOST") or LOOPBACK, environment.get("METRICS_PORT") or "0"
    try:
        IPv4Address(host)
    except AddressValueError as error:
        raise UnusableEndpoint(f"METRICS_HOST is '{host}'; it must hold an IPv4 address of this machine, 0.0.0.0 for "
                               "all of them") from error
    if not (port.isdecimal() and int(port) <= LAST_PORT):
        raise UnusableEndpoint(f"METRICS_PORT is '{port}'; it must hold a port number, 0 to {LAST_PORT}")
    return Endpoint(host=host, port=int(port))


def serve_metrics(endpoint: Endpoint, metrics: ServiceMetrics,
                  health: Callable[[], dict[str, object]]) -> ThreadingHTTPServer:
    """Serve /metrics and /healthz from a daemon thread; `health` says `ok` and what it stands on."""
    disable_created_metrics()  # a series more for each: every count began with the process

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path == "/healthz":
                state = health()
                self._answer(200 if state.get("ok") else 503, "application/json", json.dumps(state).encode())
            else:
                self._answer(404, "text/plain", b"try /metrics or /healthz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent class named it
            """Scrapes are not worth a log line."""

    server = ThreadingHTTPServer((endpoint.host, endpoint.port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
