"""A real broker and database for every test session: containers where an engine answers, else the local stack."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec import Struct

from automl_stream.local_stack.ports import unused_ports
from automl_stream.local_stack.stack import start_infrastructure
from automl_stream.local_stack.supervisor import Supervisor
from kafka_access.access import KafkaAccess

STACKS = tuple(f"tests/{place}/" for place in (
    "chaos", "console", "demo", "deploy", "docs", "grafana/live", "kafka_access", "local_stack", "scaling"))
"""Where tests start brokers, databases or browsers of their own."""


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` runs what starts a stack one after the other, for side by side they would disturb each other, and
    everything else beside it."""
    for item in items:
        if item.nodeid.startswith(STACKS) or "backends" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A skipped test is a failure: what cannot run here proves nothing."""
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped; no test may be"


class Backends(Struct, frozen=True):
    """Where Kafka and PostgreSQL are."""

    kafka: KafkaAccess
    database_url: str


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with ExitStack() as stack:
        if container_engine_answers():
            yield start_containers(stack)
        else:
            yield start_local(stack, tmp_path_factory.mktemp("stack"))


@pytest.fixture
def kafka(backends: Backends) -> KafkaAccess:
    return backends.kafka


@pytest.fixture
def database_url(backends: Backends) -> str:
    return backends.database_url


def container_engine_answers() -> bool:
    if "DOCKER_HOST" not in os.environ and not Path("/var/run/docker.sock").exists():
        return False
    from docker.errors import DockerException  # noqa: PLC0415  (slow to import)
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

    try:
        return bool(DockerClient().client.ping())
    except DockerException:
        return False


def start_containers(stack: ExitStack) -> Backends:
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415

    kafka = stack.enter_context(KafkaContainer("apache/kafka:4.4.0").with_kraft())
    postgres = stack.enter_context(PostgresContainer("postgres:18", driver=None))
    return Backends(KafkaAccess(servers=kafka.get_bootstrap_server()), postgres.get_connection_url())


def start_local(stack: ExitStack, home: Path) -> Backends:
    supervisor = stack.enter_context(Supervisor(home))
    addresses = start_infrastructure(supervisor, unused_ports(), {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"})
    return Backends(addresses.kafka, addresses.database_url)
