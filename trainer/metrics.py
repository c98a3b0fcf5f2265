"""Logs, metrics and /healthz of the trainer."""

import json
import logging
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

DECISIONS = Counter("trainer_decisions_total", "Decisions written, by verdict.", ["verdict"])
ROWS = Counter("trainer_labelled_rows_total", "Records of `labelled` taken in.")
ALERTS = Counter("trainer_alerts_total", "Alerts taken in.")
FIT_SECONDS = Histogram("trainer_fit_seconds", "Duration of one fit.", ["family"])
COVERED = Gauge("trainer_covered_offset", "Offset of `labelled` that trainer-state covers (exclusive).")
LAG = Gauge("trainer_labelled_lag", "Records of `labelled` that wait.")
EPOCH = Gauge("trainer_champion_epoch", "Epoch of the champion.")
CHAMPION_LOSS = Gauge("trainer_champion_loss", "Discounted mean loss of the champion on fresh rows.")
INCIDENT = Gauge("trainer_incident_open", "1 while an incident is open.")


def configure_logs(**context: object) -> None:
    """JSON lines on standard output with `context` on every one."""
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
                         structlog.processors.TimeStamper(fmt="iso", utc=True),
                         structlog.processors.format_exc_info]
    structlog.configure(processors=[*shared, structlog.processors.JSONRenderer()],
                        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout))
    structlog.contextvars.bind_contextvars(**context)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                                              structlog.processors.JSONRenderer()]))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def serve_metrics(port: int, health: Callable[[], dict[str, object]]) -> ThreadingHTTPServer:
    """Serve /metrics and /healthz on loopback from a daemon thread; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif self.path == "/healthz":
                state = health()
                self._answer(200 if state["ok"] else 503, "application/json", json.dumps(state).encode())
            else:
                self._answer(404, "text/plain", b"try /metrics or /healthz\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Scrapes are not worth a log line."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
