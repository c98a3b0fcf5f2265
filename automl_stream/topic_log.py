"""A topic of the pipeline as it stands: every record up to the end, read once, without a group's commits."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition
from msgspec import Struct


class LogRecord(Struct, frozen=True, kw_only=True):
    """One record; `timestamp` in epoch milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


def read_topic(kafka: Mapping[str, str], topic: str) -> Iterator[LogRecord]:
    """Committed records of all partitions, in offset order within each.

    Raises:
        KafkaException: when the broker cannot be read for a minute.
    """
    consumer = Consumer({**kafka, "group.id": "topic-log", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True, "log_level": 3})
    try:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        bounds = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=60) for p in partitions}
        open_ends = {p: end for p, (first, end) in bounds.items() if end > first}
        consumer.assign([TopicPartition(topic, p, bounds[p][0]) for p in open_ends])
        while open_ends:
            records = consumer.consume(10_000, 60)
            if not records:
                raise TimeoutError(f"topic {topic} could not be read to its end within a minute; is Kafka up?")
            for record in records:
                yield from _record(record, open_ends)
    finally:
        consumer.close()


def _record(record: object, open_ends: dict[int, int]) -> Iterator[LogRecord]:
    """The record, unless it came after the end that was looked up; ends its partition where it is the last."""
    partition, offset = record.partition(), record.offset()  # type: ignore[attr-defined]
    error = record.error()  # type: ignore[attr-defined]
    if error is not None and error.name() != "_PARTITION_EOF":
        raise KafkaException(error)
    end = open_ends.get(partition)
    if end is None:
        return
    if error is None and offset < end:
        yield LogRecord(
            partition=partition, offset=offset, timestamp=record.timestamp()[1],  # type: ignore[attr-defined]
            key=record.key(), value=record.value(),  # type: ignore[attr-defined]
            headers=tuple(record.headers() or ()))  # type: ignore[attr-defined]
    if error is not None or offset >= end - 1:
        del open_ends[partition]
