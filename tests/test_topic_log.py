"""Topics are read from an offset or a time to an end that was fixed beforehand, against librdkafka's own mock of a
broker."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from automl_stream.topic_log import Bounds, KafkaUnavailable, MissingTopic, TopicLog
from kafka_access.access import KafkaAccess

TOPIC, OTHER = "tiny.events", "tiny.labels"


@pytest.fixture
def broker() -> Iterator[tuple[Producer, KafkaAccess]]:
    """A producer that hosts a mock broker, and access to it."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    node = next(iter(producer.list_topics(timeout=10).brokers.values()))
    yield producer, KafkaAccess(servers=f"{node.host}:{node.port}")
    producer.flush(10)


@pytest.fixture
def log(broker: tuple[Producer, KafkaAccess]) -> Iterator[TopicLog]:
    with closing(TopicLog(broker[1])) as log:
        yield log


class Leaderless:
    """Stands before a consumer whose partitions have no leader the first `times` that somebody asks."""

    def __init__(self, consumer: Any, times: int) -> None:
        self._consumer = consumer
        self.left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> Any:
        self.left -= 1
        if self.left >= 0:
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        return self._consumer.get_watermark_offsets(partition, timeout=timeout)


def send(producer: Producer, partition: int, rows: int, topic: str = TOPIC) -> None:
    for n in range(rows):
        producer.produce(topic, f"{partition}/{n}", f"key {n}", partition, headers=[("type", b"x"), ("none", None)],
                         timestamp=1_000 + n)
    assert producer.flush(10) == 0


def values(log: TopicLog, bounds: Bounds) -> list[bytes]:
    return sorted(r.value or b"" for r in log.stream(TOPIC, bounds))


def test_records_come_back_whole_and_in_order(broker: tuple[Producer, KafkaAccess], log: TopicLog) -> None:
    send(broker[0], 0, 3)
    send(broker[0], 1, 2)
    send(broker[0], 0, 1, OTHER)
    logs = log.read({topic: log.bounds(topic) for topic in (TOPIC, OTHER)})
    found = logs[TOPIC]
    assert [(r.partition, r.offset) for r in found.records] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    first = found.records[0]
    assert (first.key, first.value, first.timestamp) == (b"key 0", b"0/0", 1_000)
    assert first.headers == (("type", b"x"), ("none", b""))
    assert {p: found.bounds[p] for p in (0, 1, 2)} == {0: (0, 3), 1: (0, 2), 2: (0, 0)}
    assert len(logs[OTHER].records) == 1


def test_what_lies_before_the_first_offset_or_was_written_since_is_left_out(
        broker: tuple[Producer, KafkaAccess], log: TopicLog) -> None:
    send(broker[0], 0, 4)
    send(broker[0], 1, 2)
    bounds = log.bounds(TOPIC) | {0: (1, 3)}
    send(broker[0], 1, 2)
    assert values(log, bounds) == [b"0/1", b"0/2", b"1/0", b"1/1"]
    assert values(log, bounds | {1: (2, 2)}) == [b"0/1", b"0/2"]
    assert values(log, {0: (4, 4)}) == []


def test_bounds_since_a_time_that_nothing_was_written_after_are_empty(
        broker: tuple[Producer, KafkaAccess], log: TopicLog) -> None:
    send(broker[0], 0, 2)
    assert log.bounds(TOPIC, since=5_000)[0] == (2, 2)


def test_a_time_that_a_partition_gives_no_offset_for_is_not_taken_for_one(
        broker: tuple[Producer, KafkaAccess], log: TopicLog) -> None:
    send(broker[0], 0, 2)
    with pytest.raises(KafkaException, match="Unknown partition"):
        log._since(TOPIC, log.bounds(TOPIC) | {99: (0, 2_000)}, 1_000)


def test_a_partition_without_a_leader_is_asked_until_it_has_one(
        broker: tuple[Producer, KafkaAccess], log: TopicLog) -> None:
    send(broker[0], 0, 2)
    log._consumer = leaderless = Leaderless(log._consumer, 2)  # type: ignore[assignment]
    assert log.bounds(TOPIC)[0] == (0, 2)
    assert leaderless.left < 0


def test_a_partition_that_gets_no_leader_is_one_sentence(broker: tuple[Producer, KafkaAccess]) -> None:
    send(broker[0], 0, 1)
    with closing(TopicLog(broker[1], answer_seconds=0.5)) as log:
        log._consumer = Leaderless(log._consumer, 1_000)  # type: ignore[assignment]
        with pytest.raises(KafkaUnavailable, match=r"does not answer \(Broker: Not leader for partition\)"):
            log.bounds(TOPIC)


def test_a_topic_that_is_not_there_is_one_sentence(log: TopicLog) -> None:
    with pytest.raises(MissingTopic, match=r"nowhere is not there .*`automl-stream up` creates"):
        log.bounds("nowhere")


def test_a_broker_that_does_not_answer_is_one_sentence() -> None:
    with closing(TopicLog(KafkaAccess(servers="127.0.0.1:1"), answer_seconds=0.2)) as log, pytest.raises(
            KafkaUnavailable, match=r"127.0.0.1:1 does not answer"):
        log.bounds(TOPIC)
