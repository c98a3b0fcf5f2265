"""A topic is read from an offset to an end that was fixed beforehand, against librdkafka's own mock of a broker."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from automl_stream.dead_letters.errors import KafkaUnavailable
from automl_stream.dead_letters.topic_log import TopicLog

TOPIC = "tiny.events"


@pytest.fixture
def broker() -> Iterator[tuple[Producer, str]]:
    """A producer that hosts a mock broker, and the broker's address."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    node = next(iter(producer.list_topics(timeout=10).brokers.values()))
    yield producer, f"{node.host}:{node.port}"
    producer.flush(10)


def send(producer: Producer, partition: int, rows: int) -> None:
    for n in range(rows):
        producer.produce(TOPIC, f"{partition}/{n}", partition=partition)
    assert producer.flush(10) == 0


def values(log: TopicLog, bounds: dict[int, tuple[int, int]]) -> list[bytes | None]:
    return sorted((m.value() for m in log.read(TOPIC, bounds)), key=bytes)  # type: ignore[arg-type]


def test_what_lies_before_the_first_offset_or_was_written_since_is_left_out(broker: tuple[Producer, str]) -> None:
    send(broker[0], 0, 4)
    send(broker[0], 1, 2)
    with TopicLog(broker[1]) as log:
        bounds = log.bounds(TOPIC) | {0: (1, 3)}
        send(broker[0], 1, 2)
        assert values(log, bounds) == [b"0/1", b"0/2", b"1/0", b"1/1"]
        assert values(log, bounds | {1: (2, 2)}) == [b"0/1", b"0/2"]
        assert values(log, {0: (4, 4)}) == []


def test_a_broker_that_does_not_answer_is_one_sentence() -> None:
    with TopicLog("127.0.0.1:1", answer_seconds=0.2) as log, pytest.raises(
            KafkaUnavailable, match=r"127.0.0.1:1 does not answer"):
        log.bounds(TOPIC)
