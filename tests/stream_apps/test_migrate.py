"""Tables come by migration, whole or not at all, and each role may do with them what it is for and no more."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql

from schemas.roles import OWNER, READER, WRITER
from stream_apps.migrations.migrate import DatabaseAway, ForeignTables, NotAllowed, migrate
from stream_apps.storage import SCHEMA_VERSION, schema_version
from tests.conftest import Backends
from tests.live import Live


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    name = f"t{uuid4().hex[:10]}"
    yield name
    with psycopg.connect(database_url) as connection:
        connection.execute(f'drop schema if exists "{name}" cascade'.encode())


@pytest.fixture(scope="module")
def tables(backends: Backends) -> Iterator[str]:
    """A schema with its tables, for what changes none."""
    name = f"t{uuid4().hex[:10]}"
    migrate(backends.database_url, name)
    yield name
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f'drop schema "{name}" cascade'.encode())


def as_role(database_url: str, role: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection that never was anybody else."""
    connection = psycopg.connect(database_url, autocommit=True)
    connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(role)))
    return connection


def test_migrations_at_once_make_one_schema_and_another_finds_nothing_to_do(database_url: str, schema: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: migrate(database_url, schema), range(4)))
    assert any(done)
    assert migrate(database_url, schema) is False
    with psycopg.connect(database_url) as connection:
        assert schema_version(connection, schema) == SCHEMA_VERSION
        owners = connection.execute("select distinct tableowner from pg_tables where schemaname = %s", [schema])
        assert owners.fetchall() == [(OWNER,)]


def test_the_version_that_services_know_is_the_newest(database_url: str, schema: str) -> None:
    migrate(database_url, schema)
    config = Config()
    config.set_main_option("script_location", "stream_apps:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


@pytest.mark.parametrize("service", ["record", "labels"])
def test_a_service_without_its_tables_ends_with_what_to_do(backends: Backends, tmp_path: Path, service: str) -> None:
    live = Live(backends.kafka, tmp_path)
    environment = os.environ | {"DATABASE_URL": backends.database_url, "AUTOML_STREAM_PIPELINE": str(live.file),
                                "KAFKA_BOOTSTRAP_SERVERS": backends.kafka.servers}
    ended = subprocess.run([sys.executable, "-m", f"stream_apps.{service}"], env=environment, check=False,
                           capture_output=True, text=True, timeout=120)
    live.close()
    assert ended.returncode == 2
    assert f"PostgreSQL's schema {live.name} cannot be used (" in ended.stderr
    assert "run `automl-stream migrate`" in ended.stderr


@pytest.mark.parametrize("statement", [
    "insert into {schema}.refused values ('t', 0, 1, 'r', null, '2026-01-31')",
    "select {schema}.open_day('predictions', '2026-01-31', null)",
    "update {schema}.labels set expired = true",
    "create temporary table stage (like {schema}.predictions)",
])
def test_the_writer_may_do_what_services_do(database_url: str, tables: str, statement: str) -> None:
    with as_role(database_url, WRITER) as connection:
        connection.execute(statement.replace("{schema}", f'"{tables}"').encode())


FORBIDDEN = [
    *(text.format(table=table) for table in ("audit", "messages") for text in (
        "update {{schema}}.{table} set value = null", "delete from {{schema}}.{table}", "truncate {{schema}}.{table}",
        "drop table {{schema}}.{table}", "alter table {{schema}}.{table} add column x int",
        "alter table {{schema}}.{table} disable trigger all", "create index on {{schema}}.{table} (value)",
        "create rule r as on insert to {{schema}}.{table} do instead nothing",
        "alter table {{schema}}.{table} owner to current_user")),
    "create table {schema}.mine (x int)", "drop schema {schema} cascade", "delete from {schema}.predictions",
    "create or replace function {schema}.open_day(text, date, integer) returns date language sql as 'select $2'",
    "truncate {schema}.predictions", "set role automl_stream_owner", "delete from {schema}.refused",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_writer_changes_no_table_and_takes_nothing_back(database_url: str, tables: str, statement: str) -> None:
    with as_role(database_url, WRITER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.replace("{schema}", f'"{tables}"').encode())


def test_the_writer_makes_days_of_its_two_tables_and_no_others(database_url: str, schema: str) -> None:
    migrate(database_url, schema)
    with as_role(database_url, WRITER) as connection:
        call = sql.SQL("select {}.open_day(%s, %s::date, null)").format(sql.Identifier(schema))
        connection.execute(call, ["messages", "2026-01-31"])
        connection.execute(call, ["messages", "2026-01-31"])
        with pytest.raises(psycopg.errors.RaiseException):
            connection.execute(call, ["labels", "2026-01-31"])
        with pytest.raises(psycopg.DataError):
            connection.execute(call, ["messages", "infinity"])
        found = connection.execute("select tablename from pg_tables where schemaname = %s and tablename like %s",
                                   [schema, "%2026%"]).fetchall()
    assert found == [("messages_2026-01-31",)]


def test_the_reader_reads_everything_and_writes_nothing(database_url: str, schema: str) -> None:
    migrate(database_url, schema)
    with as_role(database_url, READER) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = %s union "
                                    "select viewname from pg_views where schemaname = %s", [schema, schema]).fetchall()
        for (table,) in tables:
            name = sql.SQL("{}.{}").format(sql.Identifier(schema), sql.Identifier(str(table)))
            connection.execute(sql.SQL("select * from {} limit 1").format(name))
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported,
                                psycopg.errors.ObjectNotInPrerequisiteState)):
                connection.execute(sql.SQL("delete from {}").format(name))
        call = sql.SQL("select {}.open_day('messages', '2026-01-31', 1)").format(sql.Identifier(schema))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(call)


def test_tables_of_somebody_else_are_left_alone(database_url: str, schema: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f'create schema "{schema}"; create table "{schema}".predictions (x int)'.encode())
    with pytest.raises(ForeignTables, match="no migration made"):
        migrate(database_url, schema)


def test_a_login_that_may_not_make_roles_or_schemas_is_told_so(database_url: str, schema: str) -> None:
    login, password = f"{schema}_login", uuid4().hex
    with psycopg.connect(database_url) as connection:
        connection.execute(sql.SQL("create role {} login password {}").format(
            sql.Identifier(login), sql.Literal(password)))
        where = connection.info
        url = f"postgresql://{login}:{password}@{where.host}:{where.port}/{where.dbname}"
    try:
        with pytest.raises(NotAllowed, match=f"grant it {OWNER}") as failed:
            migrate(url, schema)
        assert password not in str(failed.value)
    finally:
        with psycopg.connect(database_url) as connection:
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(DatabaseAway, match="does not answer") as failed:
        migrate("postgresql://me:geheim@127.0.0.1:1/x", "p")
    assert "geheim" not in str(failed.value)
