"""MLflow, the registry of record: one run and one version a decision, however often it is asked for.

The plain client with short timeouts. Importing MLflow takes seconds, so it happens on first use. A store that does not
answer is asked again and again; `waiting` hears of it, and the caller's other duties go on there.
"""

import os
import socket
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog

from trainer.errors import RegistryUnavailable
from trainer.settings import RegistrySettings

log = structlog.get_logger()

CHAMPION, CHALLENGER = "champion", "challenger"  # aliases
TAG = "automl_stream.decision_id"
_CONNECT_S = 3.0
_CALL_S = "10"  # one HTTP request
_REPORT_S = 10.0
_PAUSES_S = (0.5, 1, 2, 5, 10)
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What the registry shall hold of one promoted decision; `alias` then points at its version."""

    model_name: str
    decision_id: str
    params: dict[str, str]
    metrics: dict[str, float]
    onnx: bytes
    alias: str = CHAMPION


@dataclass(frozen=True, kw_only=True)
class Registered:
    """Where it is held."""

    version: str
    run: str


class Registry:
    """Registers promoted models; `waiting(seconds)` is called about every half second while MLflow does not answer."""

    def __init__(self, settings: RegistrySettings, waiting: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._waiting = waiting
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlflow")
        self._client: Any = None

    def warm_up(self) -> None:
        """Spend the seconds of MLflow's import now. Not in the background: while it imports polars, scikit-learn, which
        looks for it among the loaded modules, fails in any other thread."""
        import mlflow  # noqa: F401, PLC0415

    def register(self, registration: Registration) -> Registered:
        """Run, version and alias of a decision; what is there already is not made again. Waits for MLflow."""
        attempt = 0
        while True:
            try:
                return self._finish(self._thread.submit(self._register, registration))
            except RegistryUnavailable as error:
                pause = _PAUSES_S[min(attempt, len(_PAUSES_S) - 1)]
                attempt += 1
                log.warning("the registry does not answer; training waits, scoring goes on", reason=str(error),
                            retry_in_s=pause, attempt=attempt)
                self._waiting(pause)

    def _finish(self, future: "Future[Registered]") -> Registered:
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

    def _register(self, registration: Registration) -> Registered:
        self._reach()
        try:
            client = self._connected()
            return self._write(client, registration)
        except Exception as error:  # MLflow, SQLAlchemy and requests share no tree
            said = self._masked(str(error))[:300]
            raise RegistryUnavailable(f"{self._place()}: {type(error).__name__}: {said}") from error

    def _masked(self, text: str) -> str:
        """MLflow and SQLAlchemy quote the whole address in their errors."""
        password = urlsplit(self._settings.tracking_uri).password
        return text.replace(password, "***").replace(unquote(password), "***") if password else text

    def _write(self, client: Any, registration: Registration) -> Registered:
        name, decision = registration.model_name, registration.decision_id
        version = self._find_version(client, name, decision)
        if version is None:
            run = self._find_run(client, name, decision)
            self._describe(client, run.info.run_id, registration)
            version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id,
                                                  tags={TAG: decision})
        client.set_registered_model_alias(name, registration.alias, version.version)
        return Registered(version=str(version.version), run=str(version.run_id))

    def _find_version(self, client: Any, name: str, decision: str) -> Any | None:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415

        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = client.search_model_versions(f"name = '{name}' and tags.`{TAG}` = '{decision}'")
        return found[0] if found else None

    def _find_run(self, client: Any, name: str, decision: str) -> Any:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            client.create_experiment(name, artifact_location=self._artifact_location(name))
            experiment = client.get_experiment_by_name(name)
        found = client.search_runs([experiment.experiment_id], f"tags.`{TAG}` = '{decision}'", max_results=1)
        return found[0] if found else client.create_run(experiment.experiment_id, tags={TAG: decision},
                                                        run_name=decision)

    def _describe(self, client: Any, run_id: str, registration: Registration) -> None:
        from mlflow.entities import Metric, Param  # noqa: PLC0415

        now = int(time.time() * 1_000)
        metrics = [Metric(key, value, now, 0) for key, value in registration.metrics.items()]
        params = [Param(key, value) for key, value in registration.params.items()]
        client.log_batch(run_id, metrics=metrics, params=params)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            file.write_bytes(registration.onnx)
            client.log_artifact(run_id, str(file), "model")
        client.set_terminated(run_id)

    def _connected(self) -> Any:
        if self._client is None:
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _CALL_S)
            os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from mlflow import MlflowClient  # noqa: PLC0415

            self._client = MlflowClient(self._settings.tracking_uri, self._settings.tracking_uri)
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
