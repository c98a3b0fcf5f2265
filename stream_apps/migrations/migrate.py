"""A pipeline's schema brought to the newest version, in one transaction: it is there whole, or as it was.

MigrationError
├── ForeignTables   the schema holds tables that no migration made; not retriable
├── NotAllowed      the login may not make roles, a schema or tables; not retriable
└── DatabaseAway    PostgreSQL does not answer; retriable
"""

from typing import Any

import psycopg
from psycopg import sql

from schemas.roles import OWNER, READER, WRITER
from stream_apps.storage import SCHEMA_VERSION, first_line, schema_version

_ROLE = """
do $$ begin
  create role {role};
exception when duplicate_object or unique_violation then null; -- another migration made it
end $$
"""
Connection = psycopg.Connection[tuple[Any, ...]]


class MigrationError(Exception):
    """The schema is as it was."""


class ForeignTables(MigrationError):
    """The schema holds tables that no migration made."""


class NotAllowed(MigrationError):
    """The login may not make what is missing."""


class DatabaseAway(MigrationError):
    """PostgreSQL does not answer."""


def migrate(url: str, pipeline: str) -> bool:
    """Bring the schema to the newest version; returns whether anything was to be done. Safe to run at once from several
    places. Roles that are missing are made; the login must be allowed to act as the owner.

    Raises:
        MigrationError: as the tree above says.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            if schema_version(connection, pipeline) == SCHEMA_VERSION:
                return False
        _upgrade(url, pipeline)
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotAllowed(f"the login of DATABASE_URL may not migrate schema {pipeline} ({first_line(error)}); use one "
                         f"that may create roles and schemas, or let an administrator create the roles {OWNER}, "
                         f"{WRITER} and {READER} and grant it {OWNER}") from error
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"PostgreSQL does not answer ({first_line(error)}); start it, or correct DATABASE_URL"
                           ) from error
    return True


def _upgrade(url: str, pipeline: str) -> None:
    import sqlalchemy  # noqa: PLC0415  (half a second, and mostly there is nothing to do)
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url, connect_timeout=5),
                                      poolclass=sqlalchemy.NullPool)
    with engine.begin() as session:
        connection: Any = session.connection.driver_connection
        connection.execute("select pg_advisory_xact_lock(hashtext('automl-stream schema'))")
        _prepare(connection, pipeline)
        config = Config(attributes={"connection": session, "pipeline": pipeline})
        config.set_main_option("script_location", "stream_apps:migrations")
        command.upgrade(config, "head")


def _prepare(connection: Connection, pipeline: str) -> None:
    """Roles, the schema, and the transaction goes on as the owner."""
    schema, owner = sql.Identifier(pipeline), sql.Identifier(OWNER)
    if schema_version(connection, pipeline) is None and _is_there(connection, f'"{pipeline}".predictions'):
        raise ForeignTables(f"schema {pipeline} holds tables that no migration made; rename or drop it: the recorder "
                            "fills a new one from Kafka when its group is set back to the beginning")
    for role in (OWNER, WRITER, READER):
        if not connection.execute("select from pg_roles where rolname = %s", [role]).rowcount:
            connection.execute(sql.SQL(_ROLE).format(role=sql.Identifier(role)))
    (acts,) = connection.execute("select pg_has_role(current_user, %s, 'set')", [OWNER]).fetchone() or (False,)
    if not acts:
        connection.execute(sql.SQL("grant {} to current_user").format(owner))
    connection.execute(sql.SQL("create schema if not exists {} authorization {}").format(schema, owner))
    connection.execute(sql.SQL("set local role {}").format(owner))


def _is_there(connection: Connection, name: str) -> bool:
    row = connection.execute("select to_regclass(%s) is not null", [name]).fetchone()
    return bool(row and row[0])
