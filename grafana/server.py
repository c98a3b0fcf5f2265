"""A Grafana, over the calls of its HTTP API that versions 11 to 13 serve: things have a uid or a name, no number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from grafana_api.grafana_api import GrafanaException
from grafana_api.grafana_face import GrafanaFace

from grafana.errors import GrafanaAway, GrafanaError, GrafanaRefused, Missing, NotGrafana, UnusableAddress

ANSWER_SECONDS = 10.0
LONGEST = 200  # of Grafana's own words
Answer = dict[str, Any]
ADVICE = {
    HTTPStatus.UNAUTHORIZED: "GRAFANA_TOKEN must hold the token of a service account, not expired",
    HTTPStatus.FORBIDDEN: "the service account needs the role Editor, and Admin to look a data source up",
    HTTPStatus.NOT_FOUND: "it is gone, or the token may not see it",
    HTTPStatus.CONFLICT: "somebody else makes the same at this moment; push again",
    HTTPStatus.PRECONDITION_FAILED: "somebody changed it at this moment: push again; or another in the folder has its "
                                    "name: rename that one",
    HTTPStatus.UNPROCESSABLE_ENTITY: "this Grafana does not take what was sent; versions 11 to 13 should",
    HTTPStatus.TOO_MANY_REQUESTS: "push again later",
}


@dataclass(frozen=True, kw_only=True)
class GrafanaAccess:
    """Where Grafana is, and as whom to go there; a value shows no secret of its own."""

    url: str
    token: str = field(repr=False)


def access(environment: Mapping[str, str]) -> GrafanaAccess:
    """What GRAFANA_URL and GRAFANA_TOKEN say.

    Raises:
        UnusableAddress: where one is missing or cannot be used.
    """
    url, token = environment.get("GRAFANA_URL", "").strip(), environment.get("GRAFANA_TOKEN", "").strip()
    if not url or not token:
        missing = "GRAFANA_TOKEN" if url else "GRAFANA_URL"
        raise UnusableAddress(f"{missing} is not set; GRAFANA_URL is an address such as https://grafana.example.org, "
                              "GRAFANA_TOKEN the token of a service account with the role Editor")
    if not _is_address(url):
        raise UnusableAddress("GRAFANA_URL must be an address such as https://grafana.example.org/grafana, without "
                              "user, query or fragment")
    if not token.isascii() or not token.isprintable():
        raise UnusableAddress("GRAFANA_TOKEN holds a character that no token has; copy it again")
    return GrafanaAccess(url=url.rstrip("/"), token=token)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
                and not (parts.username or parts.query or parts.fragment))
    except ValueError:  # such as a port that is no number
        return False


class Grafana:
    """One server. Every call raises GrafanaError."""

    def __init__(self, where: GrafanaAccess) -> None:
        self._url = where.url
        parts = urlsplit(where.url)
        self._face = GrafanaFace(where.token, host=parts.netloc, protocol=parts.scheme,
                                 url_path_prefix=f"{parts.path}/".lstrip("/"), timeout=ANSWER_SECONDS)
        self._face.api.s.max_redirects = 0  # a POST that follows becomes a GET, which looks as if it had worked

    def folder(self, uid: str) -> Answer | None:
        """The folder, None where there is none."""
        return self._look(f"folder '{uid}'", lambda: self._face.folder.get_folder(uid), "title")

    def make_folder(self, uid: str, title: str) -> None:
        """Make a folder in the root."""
        self._ask(f"folder '{title}'", lambda: self._face.folder.create_folder(title, uid), "uid")

    def dashboard(self, uid: str) -> Answer | None:
        """The dashboard and its `meta`, None where there is none."""
        return self._look(f"dashboard '{uid}'", lambda: self._face.dashboard.get_dashboard(uid), "dashboard", "meta")

    def save(self, dashboard: Mapping[str, Any], folder: str, message: str) -> None:
        """Make or change a dashboard. A change names the `version` it is made from: a later one is not overwritten."""
        body = {"dashboard": dashboard, "folderUid": folder, "message": message, "overwrite": False}
        self._ask(f"dashboard '{dashboard['title']}'", lambda: self._face.dashboard.update_dashboard(body), "uid")

    def data_source(self, name: str) -> Answer:
        """The data source of this name."""
        return self._ask(f"data source '{name}'",
                         lambda: self._face.datasource.get_datasource_by_name(quote(name, safe="")), "uid", "type")

    def _look(self, what: str, call: Callable[[], Any], *fields: str) -> Answer | None:
        try:
            return self._ask(what, call, *fields)
        except Missing:
            return None

    def _ask(self, what: str, call: Callable[[], Any], *fields: str) -> Answer:
        try:
            answer = call()
        except GrafanaException as error:
            raise self._no(error, what) from error
        except requests.TooManyRedirects as error:
            raise NotGrafana(f"{self._url} redirects; set GRAFANA_URL to where it leads") from error
        except (requests.JSONDecodeError, TypeError) as error:  # TypeError: the library, by an error page of another
            raise self._other() from error
        except requests.RequestException as error:
            raise GrafanaAway(f"Grafana does not answer at {self._url} ({type(error).__name__}); start it, or correct "
                              "GRAFANA_URL") from error
        if not isinstance(answer, dict) or any(field not in answer for field in fields):
            raise self._other()
        return answer

    def _no(self, error: GrafanaException, what: str) -> GrafanaError:
        status = error.status_code
        if not isinstance(error.response, dict):
            return self._other()
        shown = "".join(c if c.isprintable() else " " for c in str(error.response.get("message", "no reason")))
        words = " ".join(shown.split())[:LONGEST]
        said = f"Grafana at {self._url} answers {status} to {what} ({words})"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return GrafanaAway(f"{said}; push again when it is well")
        kind = Missing if status == HTTPStatus.NOT_FOUND else GrafanaRefused
        return kind(f"{said}; {ADVICE.get(status, 'what it says is the reason')}")

    def _other(self) -> NotGrafana:
        return NotGrafana(f"what answers at {self._url} does not speak as Grafana does; correct GRAFANA_URL, its path "
                          "included")
