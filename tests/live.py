"""A pipeline of its own on the real broker: topics, producers, announcements, service processes, and the recount."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from confluent_kafka import Producer
from msgspec.structs import replace

from automl_stream.topic_log import Bounds, Record, TopicLog
from automl_stream.topics import create_topics
from automl_stream.verify.counts import check_checkpoints, check_counts
from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.reading import Reading, check_readable, read
from automl_stream.verify.recording import Recording, Rows
from automl_stream.verify.scores import check_scores
from automl_stream.verify.sources import check_sources
from kafka_access.access import KafkaAccess
from schema_registry.events import event_codec
from schemas.codec import WATERMARK_HEADER, decode, encode
from schemas.messages import Artifact, FeatureValue, Message, ModelAnnouncement, ScoreState, Watermark
from schemas.pipeline import load_pipeline
from schemas.score_log import TAIL, standing
from schemas.topics import EVENTS, MODEL_ARTIFACTS, MODEL_UPDATES, PREDICTIONS, SCORE_STATE, TOPICS, Topic, topic_name
from stream_apps.migrations.migrate import migrate
from stream_apps.topics import topic_id
from tests.tiny import definition, metadata_of, onnx_bytes, predictions_bytes, profile_bytes

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 60.0
FoundT = TypeVar("FoundT")


class Live:
    """One test's pipeline."""

    def __init__(self, kafka: KafkaAccess, directory: Path,
                 definition: Callable[[str], str] = definition) -> None:
        """`definition` gives the text of the pipeline file for a name. Its topics exist when this returns."""
        self.name = f"t{uuid4().hex[:10]}"
        self.file = directory / f"{self.name}.toml"
        self.file.write_text(definition(self.name))
        self.pipeline = load_pipeline(self.file)
        self._kafka = kafka
        create_topics(self.pipeline, kafka)
        self._producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "linger.ms": 5,
                                   "log_level": 2})
        self._reader = TopicLog(kafka)
        self._processes: list[subprocess.Popen[bytes]] = []

    # Into Kafka

    def write(self, topic: Topic, partition: int, *values: bytes, key: bytes = b"",
              header: tuple[str, bytes] | None = None) -> int:
        """Write records; returns the offset of the first, once all are confirmed."""
        offsets: list[int] = []

        def confirmed(error: Any, message: Any) -> None:
            assert error is None, error
            offsets.append(message.offset())

        for value in values:
            self._producer.produce(topic_name(self.name, topic), value, key, partition, on_delivery=confirmed,
                                   headers=[header] if header else None)
            self._producer.poll(0)
        assert self._producer.flush(30) == 0
        return min(offsets)

    def say(self, topic: Topic, *messages: Message) -> None:
        """Write messages to a topic of one partition."""
        self.write(topic, 0, *map(encode, messages))

    def end_replay(self, ts: int) -> None:
        """The source says that nothing follows."""
        for partition in self._reader.bounds(topic_name(self.name, EVENTS)):
            self.write(EVENTS, partition, encode(Watermark(ts=ts, ends=True)), header=WATERMARK_HEADER)

    def announce(self, weight: float, replaces: int, *, shift: float = 0.0, corrupt: bool = False,
                 fragile: bool = False, canary_share: float | None = None,
                 background: Sequence[Sequence[FeatureValue]] = ()) -> int:
        """Store and announce a tiny model, as champion unless it is a canary with a share; returns its epoch."""
        metadata = replace(metadata_of(self.pipeline), background=tuple(map(tuple, background)))
        model = self.store(onnx_bytes(weight, metadata, fragile=fragile), corrupt=corrupt)
        return self.announce_stored(model, self.store(profile_bytes(shift)), replaces, f"w{weight}", canary_share,
                                    self.store(predictions_bytes()))

    def announce_stored(self, model: Artifact, profile: Artifact, replaces: int, version: str = "1",
                        canary_share: float | None = None, predictions: Artifact | None = None,
                        decision_id: str = "d") -> int:
        """Announce stored artifacts; returns the epoch."""
        announcement = ModelAnnouncement(
            slot="champion" if canary_share is None else "canary", share=canary_share or 0.0, replaces=replaces,
            version=version, model=model, profile=profile, predictions=predictions, reason="test",
            decision_id=decision_id, issued_at=0)
        return self.write(MODEL_UPDATES, 0, encode(announcement))

    def store(self, data: bytes, *, corrupt: bool = False) -> Artifact:
        """Write an artifact in two chunks; a corrupt one has other bytes than announced."""
        digest, half = sha256(data).hexdigest(), len(data) // 2
        written = b"\x00" * len(data) if corrupt else data
        offset = self.write(MODEL_ARTIFACTS, 0, written[:half], key=f"{digest}/0".encode())
        self.write(MODEL_ARTIFACTS, 0, written[half:], key=f"{digest}/1".encode())
        return Artifact(digest=digest, size=len(data), offset=offset)

    # Processes

    def start(self, service: str, instance: str = "0", *, module: str | None = None,
              **settings: str) -> subprocess.Popen[bytes]:
        """Start `python -m stream_apps.<service>`, or another module in its place; its output goes to a file beside the
        pipeline's. Where it gets a database, the pipeline's tables are there."""
        if url := settings.get("DATABASE_URL"):
            migrate(url, self.name)
        environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self._kafka.servers, "AUTOML_STREAM_PIPELINE": str(self.file),
            "METRICS_PORT": "0", "AUTOML_STREAM_INSTANCE": instance, "AUTOML_STREAM_STATE": str(self.file.parent),
            "OMP_NUM_THREADS": "1"} | settings
        with self.log(service).open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", module or f"stream_apps.{service}"], env=environment,
                                       cwd=ROOT, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def log(self, service: str) -> Path:
        """Where a service's output goes."""
        return self.file.with_name(f"{self.name}-{service}.log")

    def expect(self, process: subprocess.Popen[bytes]) -> None:
        """This service ended by itself, and should."""
        self._processes.remove(process)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """As a power cut would."""
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End every process of this test."""
        for process in self._processes:
            if process.poll() is None:
                self.kill(process)
        self._reader.close()
        self._producer.close()

    # Out of Kafka

    def until(self, found: Callable[[], FoundT], what: str, seconds: float = PATIENCE_SECONDS) -> FoundT:
        """Wait for something true, and return it; a service that ended by itself ends the wait."""
        deadline = time.monotonic() + seconds
        while not (value := found()):
            ended = [p.returncode for p in self._processes if p.poll() not in (None, -signal.SIGKILL)]
            assert not ended, f"a service ended with {ended}\n{self._logs()}"
            assert time.monotonic() < deadline, f"waited for {what}\n{self._logs()}"
            time.sleep(0.05)
        return value

    def _logs(self) -> str:
        """The end of each service's log."""
        return "\n".join(path.read_text()[-2_000:] for path in self.file.parent.glob(f"{self.name}-*.log"))

    def records(self, topic: Topic) -> list[Record]:
        """Everything in a topic."""
        name = topic_name(self.name, topic)
        return self._reader.read({name: self._reader.bounds(name)})[name].records

    def count(self, topic: Topic) -> int:
        """How many records a topic was given."""
        return sum(end for _, end in self._reader.bounds(topic_name(self.name, topic)).values())

    def states(self) -> list[ScoreState]:
        """Every checkpoint, oldest first in each partition."""
        return [decode(r.value or b"", ScoreState) for r in self.records(SCORE_STATE)]

    def checkpoints(self) -> dict[int, ScoreState]:
        """The checkpoint of each partition that counts."""
        name = topic_name(self.name, SCORE_STATE)
        tails = {p: (max(first, end - TAIL), end) for p, (first, end) in self._reader.bounds(name).items()}
        return standing(decode(r.value or b"", ScoreState) for r in self._reader.read({name: tails})[name].records)

    def bounds(self, topic: Topic) -> Bounds:
        """First offset and end (exclusive) of every partition."""
        return self._reader.bounds(topic_name(self.name, topic))

    def covered(self) -> bool:
        """Whether the last checkpoints cover all events."""
        last = self.checkpoints()
        return all(not end or (p in last and last[p].covered == end) for p, (_, end) in self.bounds(EVENTS).items())

    def reading(self, events: Bounds | None = None) -> Reading:
        """All topics, decoded; with `events` only what became of these bounds of `events`: a large run is read
        partition by partition."""
        bounds = {topic: self.bounds(topic) for topic in TOPICS}
        if events is not None:
            bounds |= {EVENTS: events, PREDICTIONS: {p: bounds[PREDICTIONS][p] for p in events}}
        logs = self._reader.read({topic_name(self.name, topic): bound for topic, bound in bounds.items()})
        return read(Recording(
            pipeline=self.pipeline, topic_id=topic_id(topic_name(self.name, EVENTS), self._kafka),
            logs={topic.name: logs[topic_name(self.name, topic)] for topic in TOPICS},
            rows=Rows(predictions=[], messages=[], refused=[]), codec=event_codec(self.pipeline, os.environ)))


def differences(reading: Reading) -> list[Difference]:
    """What an offline recount finds: sources lost or twice, other scores, other counts, other checkpoints."""
    checks: Iterable[Callable[[Reading, Seen], Iterable[Difference]]] = (
        check_readable, check_sources, check_scores, check_counts, check_checkpoints)
    return [difference for check in checks for difference in check(reading, Seen())]
