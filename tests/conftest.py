"""A real broker and database for every test session: containers where an engine answers, else the local stack."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec import Struct

from automl_stream.local_stack.ports import Ports
from automl_stream.local_stack.stack import start_infrastructure
from automl_stream.local_stack.supervisor import Supervisor


class Backends(Struct, frozen=True):
    """Addresses of Kafka and PostgreSQL."""

    bootstrap_servers: str
    database_url: str


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backends]:
    with ExitStack() as stack:
        if container_engine_answers():
            yield start_containers(stack)
        else:
            yield start_local(stack, tmp_path_factory.mktemp("stack"))


@pytest.fixture
def bootstrap_servers(backends: Backends) -> str:
    return backends.bootstrap_servers


@pytest.fixture
def database_url(backends: Backends) -> str:
    return backends.database_url


def container_engine_answers() -> bool:
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415  (slow to import)

    try:
        DockerClient().client.ping()
    except Exception:  # noqa: BLE001  (whatever it is, there is no engine to use)
        return False
    return True


def start_containers(stack: ExitStack) -> Backends:
    from testcontainers.kafka import KafkaContainer  # noqa: PLC0415
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415

    kafka = stack.enter_context(KafkaContainer("apache/kafka:4.4.0").with_kraft())
    postgres = stack.enter_context(PostgresContainer("postgres:18", driver=None))
    return Backends(kafka.get_bootstrap_server(), postgres.get_connection_url())


def start_local(stack: ExitStack, home: Path) -> Backends:
    supervisor = stack.enter_context(Supervisor(home))
    addresses = start_infrastructure(supervisor, free_ports(), {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"})
    return Backends(addresses.kafka, addresses.database_url)


def free_ports() -> Ports:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(5)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        kafka, controller, postgres, mlflow, metrics = (opened.getsockname()[1] for opened in sockets)
    return Ports(kafka=kafka, kafka_controller=controller, postgres=postgres, mlflow=mlflow, metrics=metrics)
