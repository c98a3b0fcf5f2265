"""The whole way of an event on a broker with TLS, passwords and permissions: each service as a user of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from automl_stream.topic_log import KafkaUnavailable, TopicLog, TopicLogError
from kafka_access.access import KafkaAccess
from kafka_access.acls import permissions
from schemas.codec import decode
from schemas.messages import LabelledEvent
from schemas.topics import (
    DRIFT_STATS,
    EVENTS,
    LABELLED,
    LABELS,
    MODEL_UPDATES,
    PREDICTIONS,
    QUALITY,
    TRAINING_DECISIONS,
    Topic,
    topic_name,
)
from stream_apps.delivery import Delivery, DeliveryError, Record
from tests.kafka_access.secured import SecuredBroker
from tests.live import Live

ROWS, TRAINED = 700, 200
PATIENCE_SECONDS = 240.0
SERVICES = ("score", "monitor", "labels", "record")

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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with SecuredBroker(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture
def live(broker: SecuredBroker, tmp_path: Path, database_url: str) -> Iterator[Live]:
    live = Live(broker.kafka, tmp_path, lambda name: PIPELINE.format(name=name))
    broker.allow(permissions(live.name))
    yield live
    live.close()
    with psycopg.connect(database_url) as connection:
        connection.execute(f'drop schema if exists "{live.name}" cascade'.encode())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    a = random.normal(size=ROWS)
    left = random.random(ROWS) < 1 / (1 + np.exp(-2 * a))
    lines = [f"{k % 40},{a[k]:.4f},{'xyz'[k % 3]},{'yes' if left[k] else 'no'}" for k in range(ROWS)]
    path = tmp_path / "customers.csv"
    path.write_text("\n".join(["customer,a,c,left", *lines]) + "\n")
    return path


def command(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "automl_stream", *arguments], env=os.environ | environment, text=True,
                          capture_output=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)
def test_every_service_needs_no_more_than_its_own_permissions(
        live: Live, broker: SecuredBroker, file: Path, database_url: str, tmp_path: Path) -> None:
    registry = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
                "MLFLOW_DEFAULT_ARTIFACT_ROOT": str(tmp_path / "artifacts")}
    command(broker.environment("operator") | registry, "bootstrap", str(file), "--pipeline", str(live.file), "--rows",
            str(TRAINED))
    for service in SERVICES:
        live.start(service, DATABASE_URL=database_url, **broker.environment(service))
    live.start("trainer", module="trainer", **broker.environment("trainer"), **registry)
    command(broker.environment("producers"), "replay", str(file), "--pipeline", str(live.file), "--from-row",
            str(TRAINED))
    live.until(lambda: live.count(PREDICTIONS) == ROWS - TRAINED, "predictions", PATIENCE_SECONDS)
    live.until(lambda: live.count(LABELLED) == ROWS, "labelled events", PATIENCE_SECONDS)
    live.until(lambda: live.count(DRIFT_STATS) == (ROWS - TRAINED) // 50, "reports of all windows",
               PATIENCE_SECONDS)
    live.until(lambda: live.count(QUALITY) > 0, "a quality report")
    live.until(lambda: live.count(TRAINING_DECISIONS) > live.count(MODEL_UPDATES), "a decision of the trainer")
    live.until(lambda: recorded(database_url, live.name) == ROWS - TRAINED, "recorded predictions")
    labels = {decode(r.value or b"", LabelledEvent).label for r in live.records(LABELLED)}
    assert labels == {"yes", "no"}
    command(broker.environment("operator") | {"DATABASE_URL": database_url}, "verify", "--pipeline", str(live.file))
    assert secrets_in(broker, tmp_path) == []


def recorded(database_url: str, schema: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f'select count(*) from "{schema}".predictions'.encode()).fetchone()
    assert row is not None
    return int(row[0])


def secrets_in(broker: SecuredBroker, directory: Path) -> list[Path]:
    """Files of this test that hold a password."""
    return [path for path in directory.rglob("*") if path.is_file()
            and any(password.encode() in path.read_bytes() for password in broker.passwords.values())]


def test_who_gives_no_password_a_wrong_one_or_trusts_another_authority_is_refused(
        live: Live, broker: SecuredBroker) -> None:
    right = broker.access("score")
    strangers = [KafkaAccess(servers=broker.address),
                 KafkaAccess(servers=broker.address, protocol="SSL", ca=right.ca),
                 replace(right, password="guessed"), replace(right, username="nobody"), replace(right, ca="")]
    topic = topic_name(live.name, PREDICTIONS)
    for stranger in strangers:
        with closing(TopicLog(stranger, answer_seconds=3)) as log, pytest.raises(KafkaUnavailable):
            log.bounds(topic)
    with closing(TopicLog(right)) as log:
        assert log.bounds(topic) == {0: (0, 0), 1: (0, 0)}


def test_plain_passwords_pass_where_the_connection_is_encrypted(live: Live, broker: SecuredBroker) -> None:
    plainly = replace(broker.kafka, mechanism="PLAIN", username="plainly")
    with closing(TopicLog(plainly)) as log, pytest.raises(TopicLogError, match="authorization"):
        log.bounds(topic_name(live.name, PREDICTIONS))  # known, and nothing is allowed to this user


@pytest.mark.parametrize(("service", "topic"), [("score", LABELLED), ("producers", MODEL_UPDATES), ("monitor", EVENTS),
                                                ("labels", LABELS), ("predict", PREDICTIONS)])
def test_a_service_cannot_write_what_is_not_its_own(live: Live, broker: SecuredBroker, service: str,
                                                    topic: Topic) -> None:
    async def write() -> None:
        delivery = Delivery(broker.access(service), message_timeout=5)
        try:
            await delivery.send([Record(topic_name(live.name, topic), 0, b"k", b"{}")])
        finally:
            await delivery.close()

    with pytest.raises(DeliveryError, match=r"[Aa]uthoriz"):
        asyncio.run(write())
    assert live.count(topic) == 0
