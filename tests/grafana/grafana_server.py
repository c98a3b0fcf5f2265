"""A small HTTP server that answers as the documented API of Grafana does, for the calls that versions 11 to 13 serve.

Every other path, every number in place of a uid, and every `folderId` is refused and remembered: no test may see one.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

EDITOR, ADMIN, VIEWER = "glsa_editor_canary", "glsa_admin_canary", "glsa_viewer_canary"
NEWEST_SCHEMA = 99  # it reads older dashboards as newer ones
Answer = tuple[int, object]


@dataclass
class GrafanaServer:
    """What the server holds and has heard."""

    url: str = ""
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    data_sources: list[dict[str, Any]] = field(default_factory=list)
    heard: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    before_answer: Any = None  # called with method and path; what it returns is the answer

    def saved(self) -> list[str]:
        """Paths that something was written to."""
        return [path for method, path in self.heard if method != "GET"]

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> Answer:
        self.heard.append((method, path))
        if self.before_answer is not None and (given := self.before_answer(method, path)) is not None:
            return given
        if token not in (EDITOR, ADMIN, VIEWER):
            return 401, {"message": "Invalid API key"}
        if method == "POST" and token == VIEWER:
            return 403, {"message": "You'll need additional permissions to perform this action."}
        for (its_method, pattern), call in self._routes().items():
            found = re.fullmatch(pattern, path)
            if its_method == method and found and not found[1].isdigit():
                return call(unquote(found[1]), token, body)
        self.refused.append(f"{method} {path}")
        return 404, {"message": "Not found"}

    def _routes(self) -> dict[tuple[str, str], Any]:
        return {
            ("GET", r"/api/folders/([^/]+)"): self._folder,
            ("POST", r"/api/folders()"): self._make_folder,
            ("GET", r"/api/dashboards/uid/([^/]+)"): self._dashboard,
            ("POST", r"/api/dashboards/db()"): self._save,
            ("GET", r"/api/datasources/name/([^/]+)"): self._data_source,
        }

    def _folder(self, uid: str, _token: str, _body: dict[str, Any]) -> Answer:
        return (200, self.folders[uid]) if uid in self.folders else (404, {"message": "folder not found"})

    def _make_folder(self, _: str, _token: str, body: dict[str, Any]) -> Answer:
        if not body.get("title"):
            return 400, {"message": "folder title cannot be empty"}
        if body["uid"] in self.folders:
            return 409, {"message": "a folder with the same UID already exists"}
        self.folders[body["uid"]] = {"id": len(self.folders) + 1, "uid": body["uid"], "title": body["title"]}
        return 200, self.folders[body["uid"]]

    def _dashboard(self, uid: str, _token: str, _body: dict[str, Any]) -> Answer:
        if uid not in self.dashboards:
            return 404, {"message": "Dashboard not found"}
        return 200, self.dashboards[uid]

    def _save(self, _: str, _token: str, body: dict[str, Any]) -> Answer:
        said, folder = body["dashboard"], body.get("folderUid", "")
        if "folderId" in body or said.get("id") is not None:
            self.refused.append("POST /api/dashboards/db with a number")
            return 422, {"message": "numbers are not taken"}
        if folder and folder not in self.folders:
            return 404, {"message": "folder not found"}
        there = self.dashboards.get(said["uid"])
        if there is not None and there["meta"].get("provisioned"):
            return 400, {"message": "Cannot save provisioned dashboard"}
        if there is not None and not body["overwrite"] and said.get("version") != there["dashboard"]["version"]:
            return 412, {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        if any(uid != said["uid"] and d["dashboard"]["title"] == said["title"] and d["meta"]["folderUid"] == folder
               for uid, d in self.dashboards.items()):
            return 412, {"message": "A dashboard with this name in the folder exists", "status": "name-exists"}
        version = there["dashboard"]["version"] + 1 if there is not None else 1
        held = {**said, "id": 100 + len(self.dashboards), "version": version, "schemaVersion": NEWEST_SCHEMA}
        self.dashboards[said["uid"]] = {"dashboard": held, "meta": {"folderUid": folder, "provisioned": False}}
        return 200, {"id": held["id"], "uid": said["uid"], "status": "success", "version": version}

    def _data_source(self, name: str, token: str, _body: dict[str, Any]) -> Answer:
        if token != ADMIN:
            return 403, {"message": "You'll need additional permissions: datasources:read"}
        found = next((source for source in self.data_sources if source["name"] == name), None)
        return (200, found) if found is not None else (404, {"message": "Data source not found"})


@contextmanager
def grafana_server(prefix: str = "") -> Iterator[GrafanaServer]:
    """A server on loopback, below `prefix`."""
    grafana = GrafanaServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: dict[str, Any]) -> None:
            path = urlsplit(self.path).path
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if not path.startswith(f"{prefix}/"):
                return self._send(404, "<html>Nothing is here</html>")
            return self._send(*grafana.answer(self.command, path.removeprefix(prefix), token, body))

        def _send(self, status: int, said: object) -> None:
            page = isinstance(said, str)
            content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if page else "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status in (301, 302):
                self.send_header("Location", f"{grafana.url}/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent class named it
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    grafana.url = f"http://127.0.0.1:{server.server_port}{prefix}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
