"""A login as a deployment gives it to services: a member of the role that writes, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from schemas.roles import WRITER


@contextmanager
def writer_login(database_url: str) -> Iterator[str]:
    """URL of a login of its own; the role that writes must exist."""
    name, password, parts = f"service_{uuid4().hex[:10]}", uuid4().hex, urlsplit(database_url)
    login = sql.Identifier(name)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login password {} in role {}").format(
            login, sql.Literal(password), sql.Identifier(WRITER)))
        yield parts._replace(netloc=f"{name}:{password}@{parts.hostname}:{parts.port}").geturl()
        connection.execute(sql.SQL("drop role {}").format(login))
