"""The real Kafka, PostgreSQL and MLflow: they start, survive a killed parent, and end without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from automl_stream.local_stack import mlflow, postgres
from automl_stream.local_stack.ports import listens
from automl_stream.local_stack.processes import read_state
from automl_stream.local_stack.stack import choose_addresses, start_infrastructure
from automl_stream.local_stack.supervisor import Supervisor, end_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from automl_stream.local_stack.ports import Ports
from kafka_access.access import KafkaAccess

pytestmark = pytest.mark.timeout(300)
CLOSED = "http://127.0.0.1:1"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home in which nothing is left running, also when the test fails."""
    yield tmp_path
    end_stack(tmp_path)


def start_up(home: Path, ports: Ports, **environment: str) -> subprocess.Popen[str]:
    """Run `automl-stream up` and return once it has told its addresses."""
    options = [
        part
        for port in ports.of("kafka", "kafka_controller", "postgres", "mlflow", "prometheus", "console",
                             "console_metrics")
        for part in (port.option, str(port.number))
    ]
    command = [sys.executable, "-c", "from automl_stream.cli import main; main()", "up", "--home", str(home), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment)
    assert process.stdout
    said = ""
    while "Ctrl-C ends everything" not in said:
        line = process.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    assert (home / "postgres.password").read_text() not in said
    assert listens(ports.console)
    return process


def children(home: Path) -> list[psutil.Process]:
    """Return all processes of the stack, the parent apart."""
    state = read_state(home)
    assert state
    leaders = [psutil.Process(child.pid) for child in state.children]
    return [process for leader in leaders for process in (leader, *leader.children(recursive=True))]


def produce(kafka: KafkaAccess, value: bytes) -> None:
    """Create the topic `t` and append one confirmed record."""
    admin = AdminClient(kafka.librdkafka())
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(20)
    producer = Producer(kafka.librdkafka())
    producer.produce("t", value)
    assert producer.flush(20) == 0


def consume(kafka: KafkaAccess) -> bytes | None:
    """Return the first record of the topic `t`."""
    consumer = Consumer({**kafka.librdkafka(), "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["t"])
    message = consumer.poll(30)
    consumer.close()
    return message.value() if message else None


def test_data_survives_a_killed_parent_and_ctrl_c_leaves_no_process(
    home: Path, ports: Ports, wait_for: Callable[..., None]
) -> None:
    addresses = choose_addresses(home, ports, {})
    parent = start_up(home, ports)
    orphans = children(home)
    produce(addresses.kafka, b"kept")
    with psycopg.connect(addresses.database_url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 'kept' AS value")
    with psycopg.connect(addresses.service_database_url) as connection, \
            pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE mine (x int)")
    passwords = [path.read_text() for path in home.glob("postgres*.password")]
    assert len(passwords) == 3
    assert not any(password in argument for process in orphans for argument in process.cmdline()
                   for password in passwords)

    parent.kill()
    parent.communicate()
    assert any(process.is_running() for process in orphans)

    parent = start_up(home, ports, AUTOML_STREAM_MAVEN_URL=CLOSED, HTTPS_PROXY=CLOSED, HTTP_PROXY=CLOSED)
    assert consume(addresses.kafka) == b"kept"
    with psycopg.connect(addresses.database_url) as connection:
        assert connection.execute("SELECT value FROM t").fetchall() == [("kept",)]

    everyone = [*orphans, *children(home)]
    parent.send_signal(signal.SIGINT)
    parent.communicate(timeout=60)
    assert parent.returncode == 0
    wait_for(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in everyone))


def test_killed_infrastructure_comes_back_and_mlflow_is_reset_without_a_migration(
    home: Path, ports: Ports, wait_for: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Supervisor(home) as supervisor:
        addresses = start_infrastructure(supervisor, ports, {})
        for name in ("kafka", "postgres"):
            supervisor.kill(name)
            wait_for(lambda name=name: supervisor.restarts(name) == 1)
            supervisor.await_ready(name)
        supervisor.await_ready("mlflow")
        assert mlflow.mlflow_is_migrated(addresses.database_url)

        monkeypatch.delattr(mlflow, "_migrate")  # only the template can make the schema now
        mlflow.reset_databases(addresses.database_url)
        mlflow.migrate_mlflow(addresses.database_url)
        assert mlflow.mlflow_is_migrated(addresses.database_url)
        assert postgres.is_serving(addresses.database_url)
        assert mlflow.is_serving(addresses.mlflow_ui)


def test_the_variables_of_the_mlflow_server_have_the_names_mlflow_gives_them() -> None:
    names = "BACKEND_STORE_URI", "REGISTRY_STORE_URI", "ARTIFACT_ROOT", "ARTIFACTS_DESTINATION", "SERVE_ARTIFACTS"
    wanted = ", ".join(f"constants.{name}_ENV_VAR" for name in names)
    code = f"from mlflow.server import constants; print({wanted})"  # a process of its own: MLflow warns on import
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) <= set(mlflow.server_variables("postgresql://localhost/x", "/artifacts"))
