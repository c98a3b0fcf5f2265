"""Logs and metrics of a service: JSON lines on standard output, /metrics and /healthz on one port."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def configure_logs(**context: object) -> None:
    """JSON lines with `context` (service, pipeline, ...) on every one."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
    )
    structlog.contextvars.bind_contextvars(**context)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, force=True,
                        format='{"timestamp": "%(asctime)s", "level": "%(levelname)s", "logger": "%(name)s", '
                               '"event": %(message)r}')
    # A broker outage of a minute writes 13,000 lines here otherwise.
    logging.getLogger("aiokafka").addFilter(_RateLimit(50))


class _RateLimit(logging.Filter):
    """Passes the first lines of each kind, then every thousandth."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first
        self._seen: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        count = self._seen[record.msg] = self._seen.get(str(record.msg), 0) + 1
        return count <= self._first or count % 1_000 == 0


def serve_metrics(port: int, health: Callable[[], dict[str, object]]) -> ThreadingHTTPServer:
    """Serve /metrics and /healthz on loopback from a daemon thread; `health` says `ok` and what it stands on."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
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

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
