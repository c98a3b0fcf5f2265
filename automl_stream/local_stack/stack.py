"""The composition: which services make the infrastructure, in which order, at which addresses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from automl_stream.local_stack import jars, kafka, mlflow, postgres
from automl_stream.local_stack.errors import NotAnswering
from automl_stream.local_stack.ports import LOOPBACK, Ports
from automl_stream.local_stack.preflight import require_disk
from kafka_access.access import KafkaAccess
from kafka_access.environment import local_access, read_access

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from automl_stream.local_stack.supervisor import Supervisor

ANSWER_SECONDS = 5


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the infrastructure answers. The URLs hold passwords: print ``masked()`` instead.

    Attributes:
        kafka: the brokers, and as whom to go there.
        database_url: PostgreSQL, libpq form, for who makes tables and reads them.
        service_database_url: the same for services, which only write rows.
        reader_database_url: the same for the console, which only reads them.
        mlflow_uri: what the trainer gives to mlflow.set_tracking_uri: the store itself, so that it need not wait for
            the server, unless MLFLOW_TRACKING_URI names another.
        artifact_root: where the trainer's experiments keep artifacts: it passes it as ``artifact_location`` when it
            creates an experiment, because MLflow's client knows no root for a database store. None: the server decides.
        mlflow_ui: the web address, behind which the server may still be starting.
    """

    kafka: KafkaAccess
    database_url: str
    service_database_url: str
    reader_database_url: str
    mlflow_uri: str
    artifact_root: str | None
    mlflow_ui: str

    def environment(self) -> dict[str, str]:
        """Return the variables that services read."""
        root = {"MLFLOW_DEFAULT_ARTIFACT_ROOT": self.artifact_root} if self.artifact_root else {}
        return root | {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.servers,  # how to log in there is in the services' own environment
            "DATABASE_URL": self.service_database_url,
            "MLFLOW_TRACKING_URI": self.mlflow_uri,
        }

    def masked(self) -> dict[str, str]:
        """Return name to address, without passwords."""
        return {"kafka": self.kafka.servers, "postgres": mask(self.database_url), "mlflow": mask(self.mlflow_ui)}


def mask(url: str) -> str:
    """Replace the password in a URL by asterisks."""
    parts = urlsplit(url)
    user, colon, _ = parts.netloc.rpartition("@")[0].partition(":")
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:***@{host}").geturl() if colon else url


def start_infrastructure(
    supervisor: Supervisor,
    ports: Ports,
    environment: Mapping[str, str] = os.environ,
    report: Callable[[str], None] = lambda _: None,
) -> Addresses:
    """Start what ``environment`` does not name: Kafka and PostgreSQL side by side, then MLflow without waiting for it.

    Returns when Kafka and PostgreSQL are ready and the database ``automl_stream`` exists. What is named by
    KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL or MLFLOW_TRACKING_URI is used instead, and must answer. ``report`` hears
    what a person at a terminal should know.

    Raises:
        LocalStackError: the message says what to do.
        UnusableAccess: when the settings of Kafka's security do not fit together.
    """
    home = supervisor.home
    require_disk(home)
    require_answers(environment)
    addresses = choose_addresses(home, ports, environment)
    if not environment.get("KAFKA_BOOTSTRAP_SERVERS"):
        paths = jars.fetch_jars(jars.kafka_lock(), jars.jar_cache(), report, supervisor.ending)
        supervisor.launch(kafka.kafka_service(home, ports, paths))
    if not environment.get("DATABASE_URL"):
        supervisor.start(postgres.postgres_service(home, ports))
        postgres.create_databases(postgres.database_url(home, ports, "postgres"), ["automl_stream"])
        postgres.create_roles(home, addresses.database_url)
    if not environment.get("KAFKA_BOOTSTRAP_SERVERS"):
        supervisor.await_ready("kafka")
    if not environment.get("MLFLOW_TRACKING_URI"):  # last: it keeps a core busy for a while
        (port,) = ports.of("mlflow")
        artifacts = Path(addresses.artifact_root or home)
        supervisor.launch(mlflow.mlflow_service(addresses.database_url, artifacts, port), settled=True)
    supervisor.publish(addresses.masked())
    return addresses


def choose_addresses(home: Path, ports: Ports, environment: Mapping[str, str]) -> Addresses:
    """Return the addresses: the environment's where it names one, ours elsewhere."""
    database_url = environment.get("DATABASE_URL") or postgres.database_url(home, ports)
    tracking = environment.get("MLFLOW_TRACKING_URI")
    return Addresses(
        kafka=(read_access(environment) if environment.get("KAFKA_BOOTSTRAP_SERVERS")
               else local_access(f"{LOOPBACK}:{ports.kafka}", environment)),
        database_url=database_url,
        service_database_url=environment.get("DATABASE_URL") or postgres.service_url(home, ports),
        reader_database_url=environment.get("DATABASE_URL") or postgres.reader_url(home, ports),
        mlflow_uri=tracking or mlflow.store_uri(database_url),
        artifact_root=None if tracking else str(home / "mlflow-artifacts"),
        mlflow_ui=tracking or f"http://{LOOPBACK}:{ports.mlflow}",
    )


def require_answers(environment: Mapping[str, str]) -> None:
    """Raise NotAnswering for an address in the environment that does not answer within 5 s."""
    checks: dict[str, Callable[[str], bool]] = {
        "KAFKA_BOOTSTRAP_SERVERS": lambda _: kafka.is_serving(read_access(environment), ANSWER_SECONDS),
        "DATABASE_URL": lambda address: postgres.is_serving(address, ANSWER_SECONDS),
        "MLFLOW_TRACKING_URI": _tracking_answers,
    }
    for variable, answers in checks.items():
        address = environment.get(variable)
        if address and not answers(address):
            message = (
                f"{mask(address)} ({variable}) does not answer within {ANSWER_SECONDS} s: "
                f"start it, or unset {variable} and a local one is started."
            )
            raise NotAnswering(message)


def _tracking_answers(uri: str) -> bool:
    if uri.startswith(("http://", "https://")):
        return mlflow.is_serving(uri, ANSWER_SECONDS)
    if uri.startswith("postgresql"):
        return postgres.is_serving(urlsplit(uri)._replace(scheme="postgresql").geturl(), ANSWER_SECONDS)
    return True  # a file or SQLite store needs no one to answer
