"""Kafka as a log: read a topic's one partition from an offset to its end, write a record and know its offset."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from kafka_access.access import NO_GROUP, KafkaAccess
from schemas.topics import MAX_RECORD_BYTES
from trainer.errors import KafkaUnavailable

_TIMEOUT_S = 30.0
_PAUSE_S = 0.1
_PATCH_S = 0.02  # a batch is waited for as long as this, also when the end is near
_PATIENCE_S = 120.0  # what a delivery may take
_GUARANTEES: dict[str, str | int | bool] = {
    "enable.idempotence": True, "acks": "all", "partitioner": "murmur2_random", "linger.ms": 2,
    "message.max.bytes": MAX_RECORD_BYTES, "delivery.timeout.ms": 60_000,
}


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """One record of a topic's partition 0."""

    offset: int
    key: bytes | None
    value: bytes | None


class LogReader:
    """Reads partition 0 of topics without a group. `log_level`: of what librdkafka says by itself; 6 is its own."""

    def __init__(self, kafka: KafkaAccess, log_level: int = 6) -> None:
        self._consumer = Consumer({
            **kafka.librdkafka(), "log_level": log_level, "group.id": f"{NO_GROUP}trainer", "enable.auto.commit": False,
            "enable.partition.eof": True, "isolation.level": "read_committed", "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50, "queued.max.messages.kbytes": 16_384,
        })

    def bounds(self, topic: str) -> tuple[int, int]:
        """First offset and end (exclusive).

        Raises:
            KafkaUnavailable: when no broker answers or there is no such topic.
        """
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                return self._consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_TIMEOUT_S)
            except KafkaException as error:  # a new topic has no leader for a moment, so has one whose broker moves
                if time.monotonic() > deadline:
                    raise KafkaUnavailable(f"the ends of topic {topic} cannot be read ({error.args[0].str()}); is "
                                           "Kafka up, and are the topics made?") from error
            time.sleep(_PAUSE_S)

    def read(self, topic: str, first: int = 0, end: int | None = None) -> Iterator[LogRecord]:
        """Records from offset `first` to `end` (exclusive), at most to the log's end at the time of the call.

        Raises:
            KafkaUnavailable: when the broker stops answering.
        """
        low, high = self.bounds(topic)
        end = high if end is None else min(end, high)
        position = max(first, low)
        if position >= end:
            return
        self._consumer.assign([TopicPartition(topic, 0, position)])
        try:
            while position < end:
                for message in self._consumer.consume(1_000, timeout=_PATCH_S):
                    position = _position_after(message)
                    if not message.error() and _offset(message) < end:
                        yield LogRecord(offset=_offset(message), key=_bytes(message.key()),
                                        value=_bytes(message.value()))
        finally:
            self._consumer.unassign()

    def close(self) -> None:
        """Leave the cluster."""
        self._consumer.close()


class LogWriter:
    """Writes to partition 0 of topics; a record counts once the broker has confirmed it."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._producer = Producer({**kafka.librdkafka(), **_GUARANTEES})
        self._failures: list[str] = []

    def write(self, topic: str, key: str, value: bytes) -> int:
        """Offset of the confirmed record.

        Raises:
            KafkaUnavailable: when the broker does not confirm in time.
        """
        offsets: list[int] = []
        self.enqueue(topic, key, value, offsets)
        self.confirm()
        return offsets[0]

    def enqueue(self, topic: str, key: str, value: bytes, offsets: list[int] | None = None) -> None:
        """Hand a record over; `offsets` gets its offset once confirmed; `confirm` waits for all."""
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failures.append(f"{topic}: {error.str()}")
            elif offsets is not None:
                offsets.append(_offset(message))

        while True:
            try:
                self._producer.produce(topic, value, key.encode(), partition=0, on_delivery=delivered)
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def confirm(self) -> None:
        """Wait until everything is confirmed.

        Raises:
            KafkaUnavailable: when it is not, in time.
        """
        left = self._producer.flush(_PATIENCE_S)
        if left or self._failures:
            raise KafkaUnavailable(f"Kafka did not confirm {left + len(self._failures)} records "
                                   f"({'; '.join(self._failures[:3]) or 'no answer'})")


def _position_after(message: Message) -> int:
    error = message.error()
    if error is None:
        return _offset(message) + 1
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name of the event
        return _offset(message)
    raise KafkaUnavailable(f"reading {message.topic()} failed: {error.str()}")


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None  # noqa: S101 - fetched and delivered records have one
    return offset


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
