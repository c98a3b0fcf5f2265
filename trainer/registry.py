"""The way to MLflow, the registry of record: one thread, hard time limits. What is written there: registration.py.

The plain client: `mlflow.onnx.log_model` takes seconds. Importing MLflow takes seconds too, so it happens on first use.
A store that does not answer is asked again and again where the caller cannot go on without it; `waiting` hears of it,
and the caller's other duties go on there.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import structlog

from trainer.errors import RegistryUnavailable
from trainer.registration import Registered, Registration, point, write
from trainer.settings import RegistrySettings

log = structlog.get_logger()

_CONNECT_S = 3.0
_CALL_S = 10  # one HTTP request, one SQL statement, and how long a silent connection is trusted
_REPORT_S = 10.0
_SILENT_S = 5.0  # a look that takes so long is not answered, whether or not its time limit has passed
_PAUSES_S = (0.5, 1, 2, 5, 10)
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
AnswerT = TypeVar("AnswerT")


class Registry:
    """Talks to MLflow; `waiting(seconds)` is called about every half second while the caller must wait for it."""

    def __init__(self, settings: RegistrySettings, waiting: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._waiting = waiting
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self._client: Any = None
        self._failed = False  # the last question that is over
        self._looking_since: float | None = None
        self._look: Future[Any] | None = None

    @property
    def answers(self) -> bool:
        """Whether it did so when it was last asked; a look that has waited too long says that it does not."""
        since = self._looking_since
        return not self._failed and (since is None or time.monotonic() - since < _SILENT_S)

    def warm_up(self) -> None:
        """Spend the seconds of MLflow's import now. Not in the background: where it may import polars, scikit-learn,
        which looks for that among the loaded modules, fails meanwhile in any other thread. The first connection is made
        there, though."""
        import mlflow  # noqa: F401, PLC0415

        self.look()

    def register(self, registration: Registration) -> Registered:
        """Run and version of a decision; what is there already is not made again. Waits for MLflow."""
        location = self._artifact_location(registration.model_name)
        return self._insist(partial(write, registration=registration, location=location))

    def point(self, model_name: str, aliases: Mapping[str, str | None]) -> None:
        """Let each alias name a version, or (None) nothing. Waits for MLflow."""
        self._insist(partial(point, model_name=model_name, aliases=aliases))

    def submit(self, call: Callable[[Any], AnswerT]) -> "Future[AnswerT]":
        """Let `call(client)` happen after what was asked before, once; its future raises RegistryUnavailable."""
        return self._thread.submit(self._ask, call)

    def _insist(self, call: Callable[[Any], AnswerT]) -> AnswerT:
        attempt = 0
        while True:
            try:
                return self._finish(self.submit(call))
            except RegistryUnavailable as error:
                pause = _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]
                attempt += 1
                log.warning("the registry does not answer; training waits, scoring goes on", reason=str(error),
                            retry_in_s=pause, attempt=attempt)
                self._waiting(pause)

    def _finish(self, future: "Future[AnswerT]") -> AnswerT:
        """Never a second attempt while the first may still succeed: it would make a second version."""
        reported = time.monotonic()
        while True:
            try:
                return future.result(timeout=0.5)
            except NotYet:
                if future.done():
                    continue
                self._waiting(0.0)
                if time.monotonic() - reported > _REPORT_S:
                    reported = time.monotonic()
                    log.warning("the registry is slow; training waits", seconds=round(_REPORT_S))

    def look(self) -> None:
        """Find out whether it answers, behind what was asked before, the last look included; `answers` tells."""
        if self._look is None or self._look.done():
            self._look = self._thread.submit(self._look_there)

    def _look_there(self) -> None:
        self._looking_since = time.monotonic()  # its turn has come: what was asked before may have taken long
        try:
            self._ask(lambda client: client.search_experiments(max_results=1))
        finally:
            self._looking_since = None

    def _ask(self, call: Callable[[Any], AnswerT]) -> AnswerT:
        failed = True
        try:
            self._reach()
            answer = self._answer(call)
            failed = False
            return answer
        finally:
            self._failed = failed

    def _answer(self, call: Callable[[Any], AnswerT]) -> AnswerT:
        try:
            return call(self._connected())
        except Exception as error:  # MLflow, SQLAlchemy and requests share no tree
            said = self._masked(str(error))[:300]
            raise RegistryUnavailable(f"{self._place()}: {type(error).__name__}: {said}") from error

    def _masked(self, text: str) -> str:
        """MLflow and SQLAlchemy quote the whole address in their errors."""
        password = urlsplit(self._settings.tracking_uri).password
        return text.replace(password, "***").replace(unquote(password), "***") if password else text

    def _connected(self) -> Any:
        if self._client is None:
            for name, value in (("TIMEOUT", _CALL_S), ("MAX_RETRIES", 1), ("BACKOFF_FACTOR", 1)):
                os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", str(value))
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from mlflow import MlflowClient  # noqa: PLC0415
            from mlflow.store.db import utils  # noqa: PLC0415

            utils.MAX_RETRY_COUNT = 1  # it would retry for minutes by itself; asking again is this module's business
            uri = _bounded(self._settings.tracking_uri)
            self._client = MlflowClient(uri, uri)
        return self._client

    def _reach(self) -> None:
        """Fail in seconds where nobody listens: MLflow's own retries take minutes."""
        url = urlsplit(self._settings.tracking_uri)
        host, port = url.hostname, url.port or _PORTS.get(url.scheme.partition("+")[0])
        if host is None or port is None:
            return
        try:
            socket.create_connection((host, port), _CONNECT_S).close()
        except OSError as error:
            raise RegistryUnavailable(f"{self._place()}: {error}") from error

    def _artifact_location(self, name: str) -> str | None:
        """None: the server decides."""
        root = self._settings.artifact_root
        if self._settings.tracking_uri.startswith(("http:", "https:")) or root is None:
            return None
        return f"{root if '://' in root else Path(root).absolute().as_uri()}/{name}"

    def _place(self) -> str:
        """The address without a password."""
        url = urlsplit(self._settings.tracking_uri)
        return f"{url.scheme}://{url.hostname or ''}{f':{url.port}' if url.port else ''}{url.path}"


def _bounded(uri: str) -> str:
    """A PostgreSQL store waits for ever by default, for a connection, a lock and an answer; what the address says of
    these itself stands."""
    url = urlsplit(uri)
    if not url.scheme.startswith("postgresql"):
        return uri
    limits = {"connect_timeout": str(_CALL_S), "tcp_user_timeout": str(_CALL_S * 1_000),
              "options": f"-c statement_timeout={_CALL_S}s"}
    return url._replace(query=urlencode(limits | dict(parse_qsl(url.query, keep_blank_values=True)))).geturl()
