"""Topics, a producer with a rate, worker processes, and the oracle that compares what went in with what came out."""

import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from automl_stream.group_commits import committed
from kafka_access.access import KafkaAccess
from stream_apps.worker import WorkerSettings

from .echo_worker import Plan

SCRIPT = Path(__file__).with_name("echo_worker.py")
SESSION_SECONDS = 6.0  # the broker's lower limit
NO_COMMIT = -1


def until(condition: Callable[[], Any], what: str, patience: float = 40.0) -> Any:
    """Wait for `condition` and return its (true) value."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what}"
        time.sleep(0.05)
    return value


class Lab:
    """One test's topics, group and processes."""

    def __init__(self, kafka: KafkaAccess, directory: Path, partitions: int = 2) -> None:
        """Create fresh topics `events`, `more` and `output`."""
        self.kafka = kafka
        self.directory = directory
        self.partitions = partitions
        name = uuid.uuid4().hex[:10]
        self.group, self.events, self.more, self.output = (f"{name}-{part}" for part in ("g", "events", "more", "out"))
        self.admin = AdminClient(kafka.librdkafka())
        topics = [NewTopic(topic, partitions, 1) for topic in (self.events, self.more, self.output)]
        for created in self.admin.create_topics(topics).values():
            created.result()
        self.confirmed: set[bytes] = set()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "linger.ms": 5})
        self._asking = self._reader()
        self._steady = threading.Event()
        self._thread: threading.Thread | None = None

    # Input

    def write(self, count: int, topic: str | None = None, partition: int = -1) -> None:
        """Write `count` new rows with ids of their own, and wait until they are confirmed."""
        for _ in range(count):
            self._produce(topic or self.events, partition)
        assert self._producer.flush(30) == 0

    def _produce(self, topic: str, partition: int = -1) -> None:
        row = b"%d-%s" % (len(self.confirmed), uuid.uuid4().hex.encode())
        self._producer.produce(topic, row, key=row, partition=partition, on_delivery=self._confirm)
        self._producer.poll(0)

    def _confirm(self, error: Any, message: Any) -> None:
        assert error is None, error
        self.confirmed.add(message.value())

    def start_flow(self, rate: int = 2000) -> None:
        """Write about `rate` rows a second to `events` until `stop_flow`."""

        def flow() -> None:
            started, sent = time.monotonic(), 0
            while not self._steady.wait(0.01):
                while sent < (time.monotonic() - started) * rate:
                    self._produce(self.events)
                    sent += 1

        self._thread = threading.Thread(target=flow, daemon=True)
        self._thread.start()

    def stop_flow(self) -> None:
        """End the flow and wait until its rows are confirmed."""
        self._steady.set()
        assert self._thread is not None
        self._thread.join()
        assert self._producer.flush(30) == 0

    # Workers

    def start(self, name: str, **plan: Any) -> subprocess.Popen[bytes]:
        """Start a worker process; `instance` makes its group membership static."""
        settings = WorkerSettings(
            kafka=self.kafka,
            group=self.group,
            instance_id=plan.pop("instance", None),
            chunk_rows=plan.pop("chunk_rows", 500),
            fetch_bytes=plan.pop("fetch_bytes", 1 << 20),
            session_timeout=SESSION_SECONDS,
            drain_seconds=plan.pop("drain_seconds", 3.0),
        )
        topics = plan.pop("topics", [self.events])
        arguments = Plan(settings=settings, topics=topics, output=self.output, journal=self._journal(name), **plan)
        command = [sys.executable, str(SCRIPT), msgspec.json.encode(arguments, enc_hook=str).decode()]
        with self.log(name).open("ab") as log:
            self.workers[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return self.workers[name]

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Signal the worker; its exit code and the seconds it took."""
        started = time.monotonic()
        self.workers[name].send_signal(number)
        return self.workers[name].wait(20), time.monotonic() - started

    def log(self, name: str) -> Path:
        """What the worker printed."""
        return self.directory / f"{name}.log"

    def _journal(self, name: str) -> Path:
        return self.directory / f"{name}.journal"

    def journal(self, name: str, what: str) -> list[dict[str, Any]]:
        """What the worker noted, of one kind."""
        if not self._journal(name).exists():
            return []
        lines = self._journal(name).read_bytes().splitlines(keepends=True)
        notes = [msgspec.json.decode(line) for line in lines if line.endswith(b"\n")]
        return [note for note in notes if note["what"] == what]

    def close(self) -> None:
        """End what still runs."""
        self._steady.set()
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        self._asking.close()
        self.admin.delete_topics([self.events, self.more, self.output])

    # The oracle

    def rows(self, topic: str) -> list[bytes]:
        """Values of every row of a topic that a reader of committed rows gets."""
        return [message.value() or b"" for message in self.messages(topic)]

    def messages(self, topic: str) -> list[Message]:
        """Every such row of a topic."""
        marks = self._marks(topic)
        behind = {n for n, (low, high) in enumerate(marks) if high > low}
        reader = self._reader()
        reader.assign([TopicPartition(topic, n, marks[n][0]) for n in behind])
        messages: list[Message] = []
        while behind:
            messages += reader.consume(5000, 0.2)
            reached = reader.position([TopicPartition(topic, n) for n in behind])
            behind -= {found.partition for found in reached if found.offset >= marks[found.partition][1]}
        reader.close()
        return messages

    def written(self) -> int:
        """How many rows `output` has."""
        return sum(high - low for low, high in self._marks(self.output))

    def _marks(self, topic: str) -> list[tuple[int, int]]:
        def ask() -> list[tuple[int, int]]:
            try:
                return [
                    self._asking.get_watermark_offsets(TopicPartition(topic, n), timeout=10)
                    for n in range(self.partitions)
                ]
            except KafkaException:  # a topic that was just created has no leader yet
                return []

        marks: list[tuple[int, int]] = until(ask, f"the offsets of {topic}")
        return marks

    def committed(self, topic: str | None = None) -> list[int]:
        """The group's commit of every partition; negative: none."""
        places = [(topic or self.events, n) for n in range(self.partitions)]
        found = committed(self.kafka, self.group, places)
        return [found.get(place, NO_COMMIT) for place in places]

    def ends(self, topic: str | None = None) -> list[int]:
        """The end offset of every partition."""
        return [high for _, high in self._marks(topic or self.events)]

    def all_committed(self) -> bool:
        """Whether the group has committed the end of `events`."""
        return self.committed() == self.ends()

    def verdict(self) -> "Verdict":
        """Compare `output` with what was confirmed to be in the input."""
        return compare(self.confirmed, self.rows(self.output))

    def _reader(self) -> Consumer:
        group = self.group + "-oracle"
        return Consumer({**self.kafka.librdkafka(), "group.id": group, "enable.auto.commit": False})


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that went in; of them lost; written again; and written that never went in."""

    rows: int
    lost: int
    repeated: int
    unknown: int


def compare(confirmed: set[bytes], output: list[bytes]) -> Verdict:
    """Count what differs."""
    seen = Counter(output)
    return Verdict(
        rows=len(confirmed),
        lost=len(confirmed - seen.keys()),
        repeated=len(output) - len(seen),
        unknown=len(seen.keys() - confirmed),
    )
