"""Which ports the stack listens on, and whether they are free."""

from __future__ import annotations

import errno
import secrets
import socket
from typing import TYPE_CHECKING

import msgspec

from automl_stream.local_stack.errors import PortTaken

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
METRICS_PORTS = 18  # of one pipeline's services: twelve score workers and six others
DOORS_APART = 10  # the HTTP ports of the next pipeline
FIRST_UNUSED, LAST_UNUSED = 20_000, 32_000


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """One port: its number, what listens there, and what changes it (option and environment variable)."""

    number: int
    purpose: str
    option: str
    variable: str


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """All ports of the stack. Services take their metrics ports from ``metrics`` upwards; the HTTP doors of the first
    pipeline are at their ports, those of each other one ``DOORS_APART`` further.
    """

    kafka: int = 19092
    kafka_controller: int = 19093
    postgres: int = 15432
    mlflow: int = 15000
    prometheus: int = 19090
    ingestion: int = 8001
    prediction: int = 8002
    console: int = 8050
    console_metrics: int = 19099
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
    "prometheus": "Prometheus",
    "ingestion": "the ingestion API",
    "prediction": "the prediction API",
    "console": "the console",
    "console_metrics": "the metrics of the console",
    "metrics": "metrics",
}


def unused_ports() -> Ports:
    """Ports that nobody listens on now, next to each other, the metrics ports of several services last.

    They lie below the range from which systems give ports to outgoing connections: those come and go unseen.
    """
    while True:
        first = secrets.randbelow(LAST_UNUSED - FIRST_UNUSED) + FIRST_UNUSED
        numbers = range(first, first + len(Ports.__struct_fields__) + METRICS_PORTS)
        if all(map(_can_bind, numbers)):
            return Ports(**dict(zip(Ports.__struct_fields__, numbers, strict=False)))


def listens(number: int) -> bool:
    """Return whether something takes connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, number)) == 0


def _can_bind(number: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, number))
        except OSError:
            return False
    return True


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
