"""Topics read from an offset or a time to an end that was fixed beforehand, committed records only. Nothing is written,
no group is joined.

TopicLogError
├── MissingTopic       the topic does not exist; not retriable: create it first
└── KafkaUnavailable   Kafka does not answer; retriable
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeVar

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition
from msgspec import Struct

from kafka_access.access import NO_GROUP, KafkaAccess
from kafka_access.leaders import LEADERLESS, UNKNOWN, once_led

Bounds = dict[int, tuple[int, int]]
AnswerT = TypeVar("AnswerT")

_PATIENCE_SECONDS = 30.0
_AT_END = KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's own name
_BATCH = 1_000


class TopicLogError(Exception):
    """A topic could not be read."""


class MissingTopic(TopicLogError):
    """The topic does not exist."""


class KafkaUnavailable(TopicLogError):
    """Kafka did not answer in time; retriable."""


class Record(Struct, frozen=True, kw_only=True):
    """One Kafka record; `timestamp` in epoch milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Log(Struct, frozen=True, kw_only=True):
    """A topic's committed records by partition and offset. `bounds`: first offset and end (exclusive) of what is
    judged."""

    records: list[Record]
    bounds: Bounds

    def judges(self, partition: int, offset: int) -> bool:
        """Whether an offset lies within the bounds; retention removed what is before them."""
        first, end = self.bounds.get(partition, (0, 0))
        return first <= offset < end


class TopicLog:
    """A consumer that only looks, one reading at a time; `answer_seconds`: how long a broker may take to answer."""

    def __init__(self, kafka: KafkaAccess, answer_seconds: float = 10.0) -> None:
        self._servers = kafka.servers
        self._answer_seconds = answer_seconds
        self._consumer = Consumer({
            **kafka.librdkafka(), "group.id": f"{NO_GROUP}topic-log", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536, "log_level": 2,
            "fetch.wait.max.ms": 20,  # every question waits behind the fetch at a log's end: 500 ms by default
        })

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def bounds(self, topic: str, since: int | None = None) -> Bounds:
        """First offset, or first one not older than `since` (epoch ms), and end (exclusive) of every partition.

        Raises:
            KafkaUnavailable: when no broker answers.
            MissingTopic: when there is no such topic.
        """
        try:
            found = self._consumer.list_topics(topic, timeout=self._answer_seconds).topics[topic]
            if found.error is not None:
                raise MissingTopic(f"topic {topic} is not there ({found.error.str()}); `automl-stream up` creates the "
                                   "topics of a pipeline")
            bounds = {p: self._once_led(partial(self._ends, TopicPartition(topic, p))) for p in found.partitions}
            return bounds if since is None else self._once_led(partial(self._since, topic, bounds, max(0, since)))
        except KafkaException as error:
            raise self._unavailable(f"does not answer ({error.args[0].str()})") from error

    def read(self, wanted: Mapping[str, Bounds]) -> dict[str, Log]:
        """Every record of the topics within their bounds.

        Raises:
            KafkaUnavailable: when nothing arrives for half a minute.
        """
        records: dict[str, list[Record]] = {topic: [] for topic in wanted}
        for topic, record in self._records(wanted):
            records[topic].append(record)
        return {topic: Log(records=sorted(found, key=lambda r: (r.partition, r.offset)), bounds=wanted[topic])
                for topic, found in records.items()}

    def stream(self, topic: str, bounds: Bounds) -> Iterator[Record]:
        """The records of a topic within `bounds`, as they come; in order within a partition.

        Raises:
            KafkaUnavailable: when nothing arrives for half a minute.
        """
        return (record for _, record in self._records({topic: bounds}))

    def _once_led(self, ask: Callable[[], AnswerT]) -> AnswerT:
        return once_led(ask, self._answer_seconds, LEADERLESS + UNKNOWN)  # that the topic is there is known

    def _ends(self, partition: TopicPartition) -> tuple[int, int]:
        found = self._consumer.get_watermark_offsets(partition, timeout=self._answer_seconds)
        if found is None:
            raise self._unavailable(f"does not say where {partition.topic} ends")
        return found

    def _since(self, topic: str, bounds: Bounds, since: int) -> Bounds:
        later: Bounds = {}
        asked = [TopicPartition(topic, partition, since) for partition in bounds]
        for found in self._consumer.offsets_for_times(asked, timeout=self._answer_seconds):
            if found.error is not None:
                raise KafkaException(found.error)
            end = bounds[found.partition][1]
            later[found.partition] = (end if found.offset == OFFSET_END else min(found.offset, end), end)
        return later

    def _records(self, wanted: Mapping[str, Bounds]) -> Iterator[tuple[str, Record]]:
        pending = {(topic, partition): end for topic, bounds in wanted.items()
                   for partition, (first, end) in bounds.items() if first < end}
        self._consumer.assign([TopicPartition(topic, p, wanted[topic][p][0]) for topic, p in pending])
        heard = time.monotonic()
        while pending:
            for message in self._messages():
                topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
                end, at_end = pending.get((topic, partition), 0), message.error() is not None
                if not at_end and offset < end:
                    yield topic, _record(message)
                if at_end or offset >= end - 1:
                    # Not unassigned one by one: librdkafka crashes when a consumer closes while a removal is under way.
                    pending.pop((topic, partition), None)
                heard = time.monotonic()  # only now: whoever takes the records may be slow
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise self._unavailable(f"sent nothing for {_PATIENCE_SECONDS:.0f} s, {len(pending)} partitions are "
                                        "unread")

    def _messages(self) -> Iterator[Message]:
        """Records, and ends of partitions as errors; what librdkafka tries again by itself is left out."""
        for message in self._consumer.consume(_BATCH, timeout=0.5):
            error = message.error()
            if error is None or error.code() == _AT_END:
                yield message
            elif error.fatal() or not error.retriable():
                raise self._unavailable(f"cannot be read ({error.str()})")

    def _unavailable(self, what: str) -> KafkaUnavailable:
        return KafkaUnavailable(f"Kafka at {self._servers} {what}; see to the broker, or correct "
                                "KAFKA_BOOTSTRAP_SERVERS")


def _record(message: Message) -> Record:
    # A header may have no value at all: to a reader it is empty.
    headers = tuple((name, value or b"") for name, value in message.headers() or ())
    return Record(partition=message.partition() or 0, offset=message.offset() or 0, timestamp=message.timestamp()[1],
                  key=message.key(), value=message.value(), headers=headers)  # type: ignore[arg-type]
