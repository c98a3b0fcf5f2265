"""Who may log in to the deployment's PostgreSQL can do what they are for, and nothing else."""

import os
import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from automl_stream.local_stack.ports import unused_ports
from automl_stream.local_stack.postgres import binaries, create_databases, database_url, postgres_service
from automl_stream.local_stack.supervisor import Supervisor
from stream_apps.migrations.migrate import migrate
from tests.deploy.conftest import ROOT

PASSWORDS = {f"POSTGRES_{who}_PASSWORD": f"of-{who}" for who in ("ADMIN", "WRITER", "READER", "MLFLOW")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that nobody has used, but for its superuser, who has run the script."""
    home, ports = tmp_path_factory.mktemp("postgres"), unused_ports()
    with Supervisor(home) as supervisor:
        supervisor.start(postgres_service(home, ports))
        create_databases(database_url(home, ports, "postgres"), ["automl_stream"])
        run_script(database_url(home, ports), PASSWORDS)
        yield f"127.0.0.1:{ports.postgres}"


def run_script(url: str, passwords: dict[str, str]) -> None:
    """As the image of PostgreSQL runs it."""
    subprocess.run([binaries() / "psql", "--no-psqlrc", "--quiet", url, "--file", ROOT / "deploy" / "logins.sql"],
                   check=True, timeout=30, env={"PATH": os.environ["PATH"]} | passwords)


def login(server: str, who: str, database: str = "automl_stream") -> psycopg.Connection[tuple[object, ...]]:
    role = who.lower() if who == "MLFLOW" else f"automl_stream_{who.lower()}"
    return psycopg.connect(f"postgresql://{role}:of-{who}@{server}/{database}", autocommit=True)


def test_the_admin_makes_tables_the_writer_writes_and_the_reader_reads(server: str) -> None:
    migrate(f"postgresql://automl_stream_admin:of-ADMIN@{server}/automl_stream", "shop")
    with login(server, "WRITER") as writer:
        writer.execute("insert into shop.event_times values (0, 1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute("create table shop.mine ()")
    with login(server, "READER") as reader:
        assert reader.execute("select newest from shop.event_times").fetchall() == [(1,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("delete from shop.event_times")


def test_mlflow_has_a_database_of_its_own_and_no_other(server: str) -> None:
    with login(server, "MLFLOW", "mlflow") as own:
        own.execute("create table runs ()")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        login(server, "MLFLOW")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        login(server, "WRITER", "mlflow")
