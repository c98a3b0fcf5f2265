"""The way in: a token, then a session in a signed cookie; and what every answer tells the browser.

The cookie is signed with a key of this process: a restart ends all sessions.
"""

import secrets
import time
from collections import Counter
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from flask import Flask, Response, make_response, redirect, render_template, request, session
from flask.sessions import SecureCookieSessionInterface

from console.metrics import METRICS
from doors.settings import is_loopback
from doors.tokens import Tokens

SESSION_SECONDS = 12 * 3_600
ATTEMPTS, ATTEMPT_SECONDS = 10, 60  # wrong ones of one address
MOST_BODY_BYTES = 1 << 20
CALLER, SINCE = "caller", "since"
LOGIN, LOGOUT, HEALTH, ASSETS = "/login", "/logout", "/healthz", "/assets/"

POLICY = ("default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
          "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; form-action 'self'; "
          "frame-ancestors 'none'; base-uri 'none'")
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
           "Cross-Origin-Opener-Policy": "same-origin"}


class Attempts:
    """Counts wrong tokens by address, and forgets them every minute."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._wrong: Counter[str] = Counter()

    def too_many(self, address: str) -> bool:
        """Whether this address has to wait."""
        if time.monotonic() - self._since > ATTEMPT_SECONDS:
            self._since, self._wrong = time.monotonic(), Counter()
        return self._wrong[address] >= ATTEMPTS

    def wrong(self, address: str) -> None:
        """One more wrong token."""
        self._wrong[address] += 1


class Sessions(SecureCookieSessionInterface):
    """Cookies that a browser gives back over TLS alone, where it came so: it alone knows what a proxy has taken off."""

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask asks for it
        """Whether the request that is answered was sent by a page that came over TLS."""
        return urlsplit(request.headers.get("Origin", "")).scheme == "https"


class Entry:
    """Puts the way in before every route of a Flask application."""

    def __init__(self, server: Flask, tokens: Tokens) -> None:
        self._tokens = tokens
        self._attempts = Attempts()
        self._policy = POLICY.format(hashes="")
        server.config.update(SECRET_KEY=secrets.token_bytes(32), SESSION_COOKIE_NAME="automl_stream_console",
                             SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax",
                             MAX_CONTENT_LENGTH=MOST_BODY_BYTES)
        server.session_interface = Sessions()
        server.before_request(self._guard)
        server.before_request(self._check)
        server.after_request(self._tell)
        server.add_url_rule(LOGIN, view_func=self._login, methods=["GET", "POST"])
        server.add_url_rule(LOGOUT, view_func=self._logout, methods=["POST"])
        server.add_url_rule(HEALTH, view_func=lambda: {"ok": True})

    def allow_scripts(self, hashes: list[str]) -> None:
        """Inline scripts that may run, by their hashes."""
        self._policy = POLICY.format(hashes=" ".join(hashes))

    def _guard(self) -> Response | None:
        """None lets the request through. A link of another site brings the session along: no GET changes anything."""
        if not self._tokens and not _named_here():
            return _forbidden("without tokens this console answers as 127.0.0.1 or localhost only")
        if request.method not in {"GET", "HEAD"} and not _from_here():
            return _forbidden("sent from a page of another origin")
        return None

    def _check(self) -> Response | None:
        """None lets the request through."""
        if request.path in {LOGIN, LOGOUT, HEALTH} or request.path.startswith(ASSETS):
            return None
        if not self._tokens:
            session[CALLER] = ""
            return None
        if CALLER in session and time.time() - session.get(SINCE, 0) < SESSION_SECONDS:
            return None
        if CALLER in session:
            session.clear()
        if request.method == "GET" and not request.path.startswith("/_"):
            asked = request.full_path if request.query_string else request.path
            return make_response(redirect(f"{LOGIN}?to={quote(asked)}"))
        return Response("log in first\n", HTTPStatus.UNAUTHORIZED, mimetype="text/plain")

    def _tell(self, response: Response) -> Response:
        response.headers.update(HEADERS | {"Content-Security-Policy": self._policy})
        if not (request.path.startswith((ASSETS, "/_dash-component-suites/"))):
            response.headers["Cache-Control"] = "no-store"
        return response

    def _login(self) -> Response:
        to, address = _own_path(request.values.get("to", "/")), request.remote_addr or ""
        if request.method == "GET":
            return _form(to)
        caller = self._tokens.caller(b"Bearer " + request.form.get("token", "").strip().encode())
        if caller is None:
            return self._refused(to, address)
        session.clear()
        session.update({CALLER: caller, SINCE: int(time.time())})
        METRICS.logins.labels("accepted").inc()
        return make_response(redirect(to, HTTPStatus.SEE_OTHER))

    def _refused(self, to: str, address: str) -> Response:
        """Behind a proxy everybody has one address: that somebody has to wait keeps out nobody who has a token."""
        if self._attempts.too_many(address):
            METRICS.logins.labels("too many").inc()
            answer = _form(to, "Too many wrong tokens; wait a minute.", HTTPStatus.TOO_MANY_REQUESTS)
            answer.headers["Retry-After"] = str(ATTEMPT_SECONDS)
            return answer
        self._attempts.wrong(address)
        METRICS.logins.labels("refused").inc()
        return _form(to, "This token is not known here.", HTTPStatus.UNAUTHORIZED)

    def _logout(self) -> Response:
        session.clear()
        return make_response(redirect(LOGIN, HTTPStatus.SEE_OTHER))


def caller() -> str:
    """Name of the token of this request's session; empty where it has none."""
    return session.get(CALLER, "")


def _form(to: str, trouble: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(render_template("login.html", to=to, trouble=trouble), status)


def _forbidden(why: str) -> Response:
    return Response(f"{why}\n", HTTPStatus.FORBIDDEN, mimetype="text/plain")


def _from_here() -> bool:
    """A browser names the origin of what it sends; a page of another one must not act in a user's name."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _named_here() -> bool:
    """An address of this machine alone; a page of elsewhere may have had another name led here by its DNS."""
    try:
        return is_loopback(urlsplit(f"//{request.host}").hostname or "")
    except ValueError:
        return False


def _own_path(text: str) -> str:
    """A path of this console; anything else would lead a user away."""
    parts = urlsplit(text)
    own = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text if own else "/"
