"""Which ports the stack listens on, and whether they are free."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from automl_stream.local_stack.errors import PortTaken

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
METRICS_PORTS = 8  # of one pipeline's services, with some to spare


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One port: its number, what listens there, and what changes it (option and environment variable)."""

    number: int
    purpose: str
    option: str
    variable: str


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """All ports of the stack. Services take their metrics ports from ``metrics`` upwards."""

    kafka: int = 19092
    kafka_controller: int = 19093
    postgres: int = 15432
    mlflow: int = 15000
    metrics: int = 19100

    def of(self, *names: str) -> Iterator[Port]:
        """Yield the named ports, described."""
        for name in names:
            yield Port(
                number=getattr(self, name),
                purpose=_PURPOSES[name],
                option=f"--{name.replace('_', '-')}-port",
                variable=f"AUTOML_STREAM_{name.upper()}_PORT",
            )


_PURPOSES = {
    "kafka": "Kafka",
    "kafka_controller": "Kafka's controller",
    "postgres": "PostgreSQL",
    "mlflow": "MLflow",
    "metrics": "metrics",
}


def unused_ports() -> Ports:
    """Ports that nobody listens on now, with room for the metrics of several services."""
    with ExitStack() as stack:
        numbers = [_bind(stack, 0) for _ in range(4)]
        while True:
            with ExitStack() as row:
                first = _bind(row, 0)
                try:
                    for number in range(first + 1, first + METRICS_PORTS):
                        _bind(row, number)
                except (OSError, OverflowError):
                    continue
                return Ports(**dict(zip(Ports.__struct_fields__, [*numbers, first], strict=True)))


def _bind(stack: ExitStack, number: int) -> int:
    opened = stack.enter_context(socket.socket())
    opened.bind((LOOPBACK, number))
    return int(opened.getsockname()[1])


def require_free(port: Port) -> None:
    """Raise PortTaken unless the port can be bound on loopback: a foreign listener would answer as if it were ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port.number))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            reason = "is taken" + _listener(port.number) if error.errno == errno.EADDRINUSE else "needs privileges"
            message = (
                f"Port {port.number} for {port.purpose} {reason}: "
                f"free it, or choose another with {port.option} or {port.variable}."
            )
            raise PortTaken(message) from error


def _listener(number: int) -> str:
    """Say which process listens on the port, as far as this user may know."""
    import psutil  # noqa: PLC0415  (only an error needs it)

    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows sockets to root only
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (number,) and connection.pid:
            try:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f" by pid {connection.pid}"
    return ""
