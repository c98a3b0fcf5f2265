"""The ingestion API of a pipeline of its own, as a process, on the real broker."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from confluent_kafka import Message

from automl_stream.local_stack.ports import LOOPBACK
from schemas.topics import EVENTS
from tests.producers.conftest import DEFINITION, Broker
from tests.wait import wait_for

ROOT = Path(__file__).parents[3]
TOKENS = {"till": "the-token-of-the-till", "shop": "the-token-of-the-shop"}
TS = 1_700_000_000_000


def unused_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as found:
        return found.getsockname()[1]


class Ingestion:
    """One service process; it may be killed and started again on the same port."""

    def __init__(self, broker: Broker, directory: Path, **environment: str) -> None:
        self.broker = broker
        self.port = unused_port()
        self.log = directory / "ingestion.log"
        file = directory / "shop.toml"
        file.write_text(DEFINITION.format(name=broker.pipeline.name))
        self._environment = os.environ | {
            "AUTOML_STREAM_PIPELINE": str(file), "KAFKA_BOOTSTRAP_SERVERS": broker.kafka.servers,
            "AUTOML_STREAM_INGESTION_PORT": str(self.port), "METRICS_PORT": "0",
            "AUTOML_STREAM_TOKENS": " ".join(f"{name}:{token}" for name, token in TOKENS.items())} | environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "producers.api"], cwd=ROOT, stdout=log, stderr=log,
                                            env=self._environment)

    def ready(self) -> bool:
        try:
            return httpx2.get(f"http://{LOOPBACK}:{self.port}/readyz").status_code == 200
        except httpx2.HTTPError:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            return False

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def client(self, caller: str = "till") -> httpx2.Client:
        return httpx2.Client(base_url=f"http://{LOOPBACK}:{self.port}", timeout=60,
                             headers={"Authorization": f"Bearer {TOKENS[caller]}"})


@pytest.fixture(scope="module")
def module_broker(backends: Any) -> Broker:
    return Broker(backends.kafka)


@pytest.fixture(scope="module")
def ingestion(module_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingestion]:
    """One for all tests of a module: each brings events of its own."""
    found = Ingestion(module_broker, tmp_path_factory.mktemp("ingestion"))
    found.start()
    try:
        wait_for(found.ready, 60)
        yield found
    finally:
        code = found.end(signal.SIGTERM)
    assert code == 0, found.log.read_text()


@pytest.fixture
def till(ingestion: Ingestion) -> Iterator[httpx2.Client]:
    with ingestion.client() as client:
        yield client


def event(event_id: str, /, **changes: Any) -> dict[str, Any]:
    """An event that fits; `changes` replace its fields."""
    features = {"amount": 1.5, "country": "DE", "online": True}
    return {"event_id": event_id, "ts": TS, "entity": "card-1", "features": features} | changes


def by_id(broker: Broker) -> Mapping[str, list[Message]]:
    """The records of `events` by event id."""
    found: dict[str, list[Message]] = {}
    for record in broker.records(EVENTS):
        found.setdefault(msgspec.json.decode(record.value() or b"")["event_id"], []).append(record)
    return found
