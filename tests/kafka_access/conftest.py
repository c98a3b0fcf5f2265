"""The whole loop on a broker with TLS, passwords and permissions, each service as a user of its own; every secret in it
is one that nothing else contains."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import psycopg
import pytest
from msgspec import Struct

from automl_stream.local_stack.mlflow import migrate_mlflow, store_uri
from automl_stream.local_stack.ports import LOOPBACK, unused_ports
from kafka_access.acls import permissions
from schemas.roles import WRITER
from schemas.topics import DRIFT_STATS, LABELLED, MODEL_UPDATES, PREDICTIONS, QUALITY, TRAINING_DECISIONS
from stream_apps.migrations.migrate import migrate
from tests.conftest import Backends
from tests.kafka_access.secured import SecuredBroker
from tests.live import Live

ROWS, TRAINED = 450, 200
PATIENCE_SECONDS = 400.0
MODULES = {service: f"stream_apps.{service}" for service in ("score", "monitor", "labels", "record")} | {
    "trainer": "trainer"}
DOORS = {"producers": "producers.api", "predict": "stream_apps.predict"}

PIPELINE = """
[pipeline]
name = "{name}"
task = "binary"
partitions = 2
[replay]
label = "left"
entity = "customer"
[windows]
size = "50s"
lateness = "2s"
quality_labels = 100
[retraining]
refresh_labels = 100
min_new_labels = 100
families = ["logistic"]
windows = ["all"]
[gate]
min_rows = 50
[[features]]
name = "a"
type = "number"
[[features]]
name = "c"
type = "category"
"""


class Loop(Struct, frozen=True, kw_only=True):
    """What runs, and what it runs on. `metrics` and `doors`: port by service; `registry`: the trainer's settings;
    `secrets`: all passwords and tokens, by whose they are."""

    live: Live
    broker: SecuredBroker
    directory: Path
    database_url: str
    whole_database_url: str  # of a user who may read every table
    metrics: dict[str, int]
    doors: dict[str, int]
    registry: dict[str, str]
    secrets: dict[str, str]

    def command(self, user: str, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """`automl-stream` as a user."""
        return subprocess.run([sys.executable, "-m", "automl_stream", *arguments], text=True, capture_output=True,
                              env=os.environ | self.broker.environment(user) | settings, check=False, timeout=240)

    def door(self, service: str, path: str) -> str:
        """URL of a door's path."""
        return f"http://{LOOPBACK}:{self.doors[service]}{path}"


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with SecuredBroker(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture(scope="package")
def loop(broker: SecuredBroker, backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """The loop after it has gone round: rows are scored, counted, labelled, judged, trained on and recorded."""
    directory = tmp_path_factory.mktemp("loop")
    live = Live(broker.kafka, directory, lambda name: PIPELINE.format(name=name))
    broker.allow(permissions(live.name))
    password, stored, token = (f"canary-{secrets.token_hex(12)}" for _ in range(3))
    ports = unused_ports()
    loop = Loop(live=live, broker=broker, directory=directory, database_url=user_of(backends, live.name, password),
                whole_database_url=backends.database_url,
                metrics={service: ports.metrics + place for place, service in enumerate([*MODULES, *DOORS])},
                doors=dict(zip(DOORS, (ports.ingestion, ports.prediction), strict=True)),
                registry={"MLFLOW_TRACKING_URI": registry_of(backends, live.name, stored),
                          "MLFLOW_DEFAULT_ARTIFACT_ROOT": str(directory / "artifacts")},
                secrets={"PostgreSQL": password, "MLflow": stored, "caller": token, **broker.passwords})
    try:
        go_round(loop)
        yield loop
    finally:
        live.close()
        with psycopg.connect(backends.database_url) as connection:
            connection.execute(f'drop schema "{live.name}" cascade'.encode())
            connection.execute(f'drop role "{live.name}", "{live.name}-mlflow"'.encode())


def user_of(backends: Backends, name: str, password: str) -> str:
    """A user of PostgreSQL who may act as the writer, and nothing else; the URL for him. The tables are there."""
    migrate(backends.database_url, name)
    return with_user(backends.database_url, name, password, (WRITER,))


def registry_of(backends: Backends, name: str, password: str) -> str:
    """MLflow's store in PostgreSQL; the URL for a user of its own."""
    migrate_mlflow(backends.database_url)
    url = with_user(backends.database_url, f"{name}-mlflow", password, ("pg_read_all_data", "pg_write_all_data"))
    return store_uri(url)


def with_user(database_url: str, user: str, password: str, roles: tuple[str, ...]) -> str:
    """Make a user who may do what these roles may; the URL for him."""
    with psycopg.connect(database_url) as connection:
        connection.execute(f"create role \"{user}\" login password '{password}'".encode())
        connection.execute(f'grant {", ".join(roles)} to "{user}"'.encode())
    url = urlsplit(database_url)
    return url._replace(netloc=f"{user}:{password}@{url.hostname}:{url.port}").geturl()


def go_round(loop: Loop) -> None:
    """Bootstrap, start everything, replay, and wait until all has been said."""
    live, file = loop.live, customers(loop.directory)
    done = loop.command("operator", "bootstrap", str(file), "--pipeline", str(live.file), "--rows", str(TRAINED),
                        **loop.registry)
    assert done.returncode == 0, done.stderr
    for service, module in MODULES.items():
        database = {"DATABASE_URL": loop.database_url} if service in ("labels", "record") else {}
        live.start(service, module=module, METRICS_PORT=str(loop.metrics[service]), **loop.registry, **database,
                   **loop.broker.environment(service))
    done = loop.command("producers", "replay", str(file), "--pipeline", str(live.file), "--from-row", str(TRAINED))
    assert done.returncode == 0, done.stderr
    wait = PATIENCE_SECONDS
    live.until(lambda: live.count(PREDICTIONS) == ROWS - TRAINED, "predictions", wait)
    live.until(lambda: live.count(LABELLED) == ROWS, "labelled events", wait)
    live.until(lambda: live.count(DRIFT_STATS) == (ROWS - TRAINED) // 50, "reports of all windows", wait)
    live.until(lambda: live.count(QUALITY) > 0, "a quality report", wait)
    live.until(lambda: live.count(TRAINING_DECISIONS) > live.count(MODEL_UPDATES), "a decision of the trainer", wait)
    live.until(lambda: recorded(loop) == ROWS - TRAINED, "recorded predictions", wait)
    for service, module in DOORS.items():
        live.start(service, module=module, METRICS_PORT=str(loop.metrics[service]),
                   AUTOML_STREAM_TOKENS=f"ada:{loop.secrets['caller']}",
                   AUTOML_STREAM_INGESTION_PORT=str(loop.doors["producers"]),
                   AUTOML_STREAM_PREDICTION_PORT=str(loop.doors["predict"]),
                   **loop.broker.environment(service))
        live.until(lambda service=service: answers(loop.door(service, "/readyz")) == HTTPStatus.OK, service, wait)


def answers(url: str, body: bytes | None = None, **headers: str) -> int | None:
    """Status of the answer; None where nobody answers."""
    try:
        with urlopen(Request(url, body, headers), timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status
    except HTTPError as error:
        return error.code
    except URLError:
        return None


def customers(directory: Path) -> Path:
    """Rows that a model can learn."""
    random = np.random.default_rng(0)
    a = random.normal(size=ROWS)
    left = random.random(ROWS) < 1 / (1 + np.exp(-2 * a))
    lines = [f"{k % 40},{a[k]:.4f},{'xyz'[k % 3]},{'yes' if left[k] else 'no'}" for k in range(ROWS)]
    path = directory / "customers.csv"
    path.write_text("\n".join(["customer,a,c,left", *lines]) + "\n")
    return path


def recorded(loop: Loop) -> int:
    """Predictions in PostgreSQL."""
    with psycopg.connect(loop.database_url) as connection:
        row = connection.execute(f'select count(*) from "{loop.live.name}".predictions'.encode()).fetchone()
    assert row is not None
    return int(row[0])
