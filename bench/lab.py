"""The laboratory of every bench: a real broker in a temporary home, pipelines with a model, and worker processes.

    with open_lab() as lab:
        with lab.pipeline(features=8, partitions=4) as pipeline:   # topics exist, a model of 100 trees is announced
            pipeline.fill(300_000)                                 # into `events`, before anybody reads
            workers = pipeline.start_workers(2)                    # processes of `python -m stream_apps.score`
            drain = pipeline.drain(PREDICTIONS, 300_000)           # polls end offsets, decodes nothing
            print(drain.per_second(), usage(workers[0].pid))

A pipeline is a `tests.live.Live`: `write`, `announce_stored`, `store`, `start`, `records`, `until` and `close` are
there too. Results and their printing: bench/result.py.
"""

import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from subprocess import Popen
from typing import Any, Self, TypeVar

import psutil
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,  # pyright: ignore[reportPrivateImportUsage]  # documented
    OffsetSpec,  # pyright: ignore[reportPrivateImportUsage]  # documented
)

from automl_stream.local_stack.jars import fetch_jars, jar_cache, kafka_lock
from automl_stream.local_stack.kafka import kafka_service
from automl_stream.local_stack.ports import LOOPBACK, unused_ports
from automl_stream.local_stack.postgres import create_databases, database_url, postgres_service
from automl_stream.local_stack.supervisor import Supervisor
from bench.result import say
from bench.workload import TrainedModel, definition, events, train
from kafka_access.access import KafkaAccess
from kafka_access.environment import read_access
from schemas.messages import Artifact
from schemas.topics import EVENTS, TOPICS, Topic, topic_name
from tests.live import Live

BLOCK = 10_000  # events per produce call
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 120.0
SETTLE_SECONDS = 10.0  # for the leaders of new topics
REMEMBERED = 12
MadeT = TypeVar("MadeT")


@dataclass(frozen=True, kw_only=True)
class Drain:
    """What was seen of an output topic: (seconds, records so far) at each poll, the first at the first output."""

    samples: list[tuple[float, int]]

    def per_second(self, begin: float = 0.1) -> float:
        """Records a second from the share `begin` of the outputs to the last: start-up and first chunk excluded."""
        last, total = self.samples[-1]
        first, done = next(sample for sample in self.samples if sample[1] >= begin * total)
        if last == first:
            raise ValueError(f"all {total} outputs came within one poll of {POLL_SECONDS} s: use more events")
        return (total - done) / (last - first)

    @property
    def seconds(self) -> float:
        """From the first output to the last."""
        return self.samples[-1][0] - self.samples[0][0]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """CPU seconds (user and system, all threads) so far, and resident megabytes (10^6)."""

    cpu_seconds: float
    rss_mb: float


def usage(pid: int) -> Usage:
    """Usage of one process."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    return Usage(cpu_seconds=times.user + times.system, rss_mb=process.memory_info().rss / 1e6)


def thread_seconds(pid: int) -> dict[str, float]:
    """CPU seconds so far by the name that the system knows a thread by, without the number at its end."""
    found: dict[str, float] = defaultdict(float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip().rstrip("0123456789_")
        found[name] += int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


class BenchPipeline(Live):
    """A pipeline of F number features, its topics made and its first model announced. Leaving deletes its topics."""

    def __init__(self, lab: "Lab", features: int, partitions: int) -> None:
        super().__init__(lab.kafka, lab.home, lambda name: definition(name, features, partitions))
        self.features, self.partitions = features, partitions
        self._lab = lab
        self._extra: list[str] = []
        self.profile: Artifact | None = None
        self.epoch = self.announce_model(lab.model(self), replaces=-1)

    def announce_model(self, model: TrainedModel, replaces: int) -> int:
        """Store and announce a model, its profile too if none is stored yet; returns its epoch."""
        self.profile = self.profile or self.store(model.profile)
        predictions = None if model.predictions is None else self.store(model.predictions)
        return self.announce_stored(self.store(model.onnx), self.profile, replaces, version=f"after{replaces}",
                                    predictions=predictions)

    def fill(self, count: int, *, topic: str | None = None, **options: Any) -> None:
        """Write `count` seeded events (options as of `workload.events`) to `events`, or to a topic made for it."""
        self.produce(topic or topic_name(self.name, EVENTS), self._lab.events(self.features, count, **options))

    def add_topic(self, suffix: str) -> str:
        """A topic beside the pipeline's own, with as many partitions as `events`; returns its full name."""
        name = f"{self.name}.{suffix}"
        for future in self._lab.admin.create_topics([NewTopic(name, self.partitions, 1)]).values():
            future.result()
        self._extra.append(name)
        self.until(lambda: self._served(name), f"leaders of {name}")
        return name

    def produce(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Write (key, value) records as fast as one producer can; all are confirmed when this returns."""
        producer = Producer({**self._lab.kafka.librdkafka(), "linger.ms": 20, "batch.size": 900_000,
                             "queue.buffering.max.messages": 1_000_000, "partitioner": "murmur2_random",
                             "enable.idempotence": True, "delivery.report.only.error": True})
        rest = iter(records)
        while block := list(islice(rest, BLOCK)):
            queued = producer.produce_batch(topic, [{"key": key, "value": value} for key, value in block])
            if queued != len(block):
                raise BufferError("the producer's queue is full")
            while len(producer) > 20 * BLOCK:
                producer.poll(0.01)
        if left := producer.flush(PATIENCE_SECONDS):
            raise BufferError(f"{left} records of {topic} were not confirmed")

    def end_offset(self, topic: str | Topic) -> int:
        """Records that a topic was given, over all partitions; one request to the broker (about a millisecond)."""
        name = topic if isinstance(topic, str) else topic_name(self.name, topic)
        partitions = 1 if isinstance(topic, Topic) and topic.partitions else self.partitions
        asked: dict[TopicPartition, Any] = {TopicPartition(name, p): OffsetSpec.latest() for p in range(partitions)}
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return sum(f.result().offset for f in self._lab.admin.list_offsets(asked).values())
            except KafkaException:  # leaders of new topics may still move under the client's feet
                if time.monotonic() > deadline:
                    raise
                self._lab.admin.list_topics(name, timeout=SETTLE_SECONDS)

    def start_workers(self, count: int = 1, **settings: str) -> list[Popen[bytes]]:
        """Score workers as processes of their own, instances "0", "1", ..."""
        return [self.start("score", str(instance), **settings) for instance in range(count)]

    def drain(self, topic: str | Topic, wanted: int, *, processes: Sequence[Popen[bytes]] = (),
              patience: float = PATIENCE_SECONDS, each: Callable[[int], None] = lambda _: None) -> Drain:
        """Wait for `wanted` records; `each` hears how many there are. A process that ends ends the wait.

        Raises:
            RuntimeError: when nothing arrives for `patience` seconds or a process ended first.
        """
        samples: list[tuple[float, int]] = []
        moved = time.perf_counter()
        while not samples or samples[-1][1] < wanted:
            time.sleep(POLL_SECONDS)
            now, count = time.perf_counter(), self.end_offset(topic)
            if count and (not samples or count > samples[-1][1]):
                samples.append((now, count))
                moved = now
                each(count)
            ended = [p.returncode for p in (*processes, *self._processes) if p.poll() is not None]
            if (ended and (not samples or samples[-1][1] < wanted)) or now - moved > patience:
                raise RuntimeError(f"{topic}: {count} of {wanted} records; ended with {ended}\n{self.tails()}")
        return Drain(samples=samples)

    def stop(self, processes: Sequence[Popen[bytes]]) -> None:
        """End processes at once, and forget them."""
        for process in processes:
            self.kill(process)
            if process in self._processes:
                self._processes.remove(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        names = [topic_name(self.name, topic) for topic in TOPICS] + self._extra
        for future in self._lab.admin.delete_topics(names).values():
            future.result()

    def _served(self, name: str) -> bool:
        found = self._lab.admin.list_topics(name, timeout=5).topics[name]
        return found.error is None and all(p.error is None and p.leader >= 0 for p in found.partitions.values())

    def tails(self) -> str:
        """The ends of all logs of this pipeline's processes."""
        return "\n".join(path.read_text()[-2_000:] for path in self.file.parent.glob(f"{self.name}-*.log"))


class Lab:
    """A broker (and where asked a database), and what pipelines share: trained models and encoded events."""

    def __init__(self, home: Path, kafka: KafkaAccess, postgres_url: str | None) -> None:
        self.home = home
        self.kafka = kafka
        self.database_url = postgres_url
        self.admin = AdminClient({**kafka.librdkafka(), "log_level": 3})
        self._models: dict[tuple[int, int], TrainedModel] = {}
        self._memory: dict[tuple[Any, ...], Any] = {}

    def pipeline(self, *, features: int = 8, partitions: int = 1) -> BenchPipeline:
        """A pipeline of its own; enter it as a context."""
        return BenchPipeline(self, features, partitions)

    def model(self, pipeline: Live, seed: int = 0) -> TrainedModel:
        """A model for the pipeline's features; trained once for each number of features and seed (2 s)."""
        key = len(pipeline.pipeline.features), seed
        if key not in self._models:
            self._models[key] = train(pipeline.pipeline, seed)
        return self._models[key]

    def events(self, features: int, count: int, **options: Any) -> list[tuple[bytes, bytes]]:
        """Events as bytes (options as of `workload.events`), made once (about 5 microseconds each)."""
        return self.remembered((features, count, *sorted(options.items())),
                               lambda: list(events(features, count, **options)))

    def remembered(self, key: tuple[Any, ...], make: Callable[[], MadeT]) -> MadeT:
        """What `make` gave for this key; only the newest few are kept."""
        if key not in self._memory:
            while len(self._memory) >= REMEMBERED:
                del self._memory[next(iter(self._memory))]
            self._memory[key] = make()
        return self._memory[key]


@contextmanager
def open_lab(*, postgres: bool = False) -> Iterator[Lab]:
    """Start the broker in a temporary home, or use the one that KAFKA_BOOTSTRAP_SERVERS names; end everything after.

    `postgres` starts a PostgreSQL too (`lab.database_url`), unless DATABASE_URL names one.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a terminated bench ends its broker too
    with tempfile.TemporaryDirectory(prefix="automl-stream-bench-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        with Supervisor(home) as supervisor:
            ports = unused_ports()
            servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
            if not servers:
                jars = fetch_jars(kafka_lock(), jar_cache(), say, supervisor.ending)
                supervisor.start(kafka_service(home, ports, jars))
            url = os.environ.get("DATABASE_URL") if postgres else None
            if postgres and not url:
                supervisor.start(postgres_service(home, ports))
                create_databases(database_url(home, ports, "postgres"), ["automl_stream"])
                url = database_url(home, ports)
            yield Lab(home, read_access() if servers else KafkaAccess(servers=f"{LOOPBACK}:{ports.kafka}"), url)
