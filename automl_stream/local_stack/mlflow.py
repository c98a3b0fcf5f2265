"""MLflow on the stack's PostgreSQL: its schema, migrated once into a template database, and its server.

``python -m automl_stream.local_stack.mlflow PORT ARTIFACTS``, with DATABASE_URL in the environment, prepares the
schema and becomes the server. Importing MLflow takes most of the time of either, so nothing waits for it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import sys
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, LiteralString
from urllib.parse import urlsplit

from automl_stream.local_stack.ports import LOOPBACK, Port, require_free
from automl_stream.local_stack.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psycopg import Connection

DATABASE = "mlflow"


def mlflow_service(database_url: str, artifacts: Path, port: Port) -> Service:
    """Return the server on the PostgreSQL at ``database_url``; it makes its own database there."""
    artifacts.mkdir(parents=True, exist_ok=True)
    return Service(
        name="mlflow",
        command=(sys.executable, "-m", "automl_stream.local_stack.mlflow", str(port.number), str(artifacts)),
        env={"DATABASE_URL": database_url},
        before=lambda: require_free(port),
        ready=functools.partial(is_serving, f"http://{LOOPBACK}:{port.number}"),
        ready_within=180,
    )


def store_uri(database_url: str, database: str = DATABASE) -> str:
    """Return the URI of the tracking and registry store on the server of ``database_url``."""
    return urlsplit(database_url)._replace(scheme="postgresql+psycopg", path=f"/{database}").geturl()


def is_serving(uri: str, timeout: float = 1.0) -> bool:
    """Return whether an MLflow server answers at this http(s) address."""
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=timeout) as response:  # noqa: S310
            return response.status == HTTPStatus.OK
    except OSError:
        return False


def migrate_mlflow(database_url: str) -> None:
    """Make the database ``mlflow``, with the installed MLflow's schema, on the server of ``database_url``.

    Idempotent, and safe to call from several processes. Only the first call in a cluster, and the first after an
    update of MLflow, imports MLflow and migrates; the others copy the template in about 0.2 s, or find all done.
    """
    with _connection(database_url) as connection:
        if not _exists(connection, template()):
            _build_template(connection, database_url)
        with _one_at_a_time(connection):
            if not _exists(connection, DATABASE):
                _create(connection, DATABASE, template())
        if _revision(database_url, DATABASE) != _revision(database_url, template()):
            _migrate(store_uri(database_url))


def mlflow_is_migrated(database_url: str) -> bool:
    """Return whether the database ``mlflow`` is there: it only ever appears with its whole schema."""
    with _connection(database_url) as connection:
        return _exists(connection, DATABASE)


def reset_databases(database_url: str) -> None:
    """Drop and re-create the database of ``database_url`` and ``mlflow``, ending whoever is connected to them.

    Where MLflow's template is not there yet, ``mlflow`` is left for migrate_mlflow to make. Everything in both is lost.
    """
    own = urlsplit(database_url).path.removeprefix("/")
    with _connection(database_url, "postgres") as connection, _one_at_a_time(connection):
        _drop(connection, own)
        _create(connection, own, "template1")
        _drop(connection, DATABASE)
        if _exists(connection, template()):
            _create(connection, DATABASE, template())


def template() -> str:
    """Return the name of the template database: one for each version of MLflow."""
    return f"mlflow_template_{importlib.metadata.version('mlflow').replace('.', '_')}"


def serve(database_url: str, artifacts: str, port: int) -> None:
    """Become the MLflow server: what MLflow's own command runs, without that command.

    It would stay as a second process of 300 MB and import everything twice.
    """
    command = ("-m", "uvicorn", "mlflow.server.fastapi_app:app", "--host", LOOPBACK, "--port", str(port))
    environment = os.environ | server_variables(database_url, artifacts)
    os.execve(sys.executable, [sys.executable, *command, "--log-level", "warning"], environment)  # noqa: S606


def server_variables(database_url: str, artifacts: str) -> dict[str, str]:
    """Return what MLflow's command would set for its server (mlflow.server.constants; a test compares the names)."""
    store = store_uri(database_url)
    return {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": artifacts,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": artifacts,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _build_template(connection: Connection, database_url: str) -> None:
    """Migrate a scratch database and rename it when it is whole: a kill in between leaves no half template."""
    import mlflow.store.db.utils  # noqa: F401, PLC0415  (takes seconds, so before the lock)

    scratch = f"{template()}_partial"
    with _one_at_a_time(connection):
        if _exists(connection, template()):
            return
        _drop(connection, scratch)
        _create(connection, scratch, "template1")
        _migrate(store_uri(database_url, scratch))
        _execute(connection, "ALTER DATABASE {} RENAME TO {}", scratch, template())


def _migrate(uri: str) -> None:
    """Do what ``mlflow db upgrade`` does, without the 3 s its command line takes on top."""
    from mlflow.store.db import utils  # noqa: PLC0415  (takes seconds)

    engine = utils.create_sqlalchemy_engine_with_retry(uri)
    if utils._is_empty_database(engine):  # noqa: SLF001  (MLflow is pinned)
        utils._initialize_tables(engine)  # noqa: SLF001
    else:
        utils._upgrade_db(engine)  # noqa: SLF001
    engine.dispose()


def _revision(database_url: str, database: str) -> str | None:
    with _connection(database_url, database) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def _connection(database_url: str, database: str | None = None) -> Connection:
    import psycopg  # noqa: PLC0415  (only a start needs it)

    url = urlsplit(database_url)
    return psycopg.connect(url._replace(path=f"/{database}" if database else url.path).geturl(), autocommit=True)


@contextmanager
def _one_at_a_time(connection: Connection) -> Iterator[None]:
    """Hold a lock of the database that ``connection`` is in, against others who create databases."""
    connection.execute("SELECT pg_advisory_lock(hashtext('automl-stream: mlflow'))")
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtext('automl-stream: mlflow'))")


def _exists(connection: Connection, database: str) -> bool:
    return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone())


def _create(connection: Connection, database: str, source: str) -> None:
    _execute(connection, "CREATE DATABASE {} TEMPLATE {}", database, source)


def _drop(connection: Connection, database: str) -> None:
    _execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def _execute(connection: Connection, statement: LiteralString, *names: str) -> None:
    from psycopg import sql  # noqa: PLC0415  (only a start needs it)

    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


if __name__ == "__main__":
    migrate_mlflow(os.environ["DATABASE_URL"])
    serve(os.environ["DATABASE_URL"], sys.argv[2], int(sys.argv[1]))
