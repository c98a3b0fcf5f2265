"""/metrics and /healthz of a service, on one port of loopback."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


def serve_metrics(port: int, health: Callable[[], dict[str, object]]) -> ThreadingHTTPServer:
    """Serve /metrics and /healthz on loopback from a daemon thread; `health` says `ok` and what it
    stands on; port 0 takes a free one."""

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
