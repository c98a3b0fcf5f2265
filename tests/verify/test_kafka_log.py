"""A topic is read to the end that was fixed beforehand, against librdkafka's own mock of a broker."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from automl_stream.verify.errors import KafkaUnavailable
from automl_stream.verify.kafka_log import KafkaLog

TOPIC = "tiny.events"


@pytest.fixture
def broker() -> Iterator[tuple[Producer, str]]:
    """A producer that hosts a mock broker, and the broker's address."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    node = next(iter(producer.list_topics(timeout=10).brokers.values()))
    yield producer, f"{node.host}:{node.port}"
    producer.flush(10)


@pytest.fixture
def log(broker: tuple[Producer, str]) -> Iterator[KafkaLog]:
    log = KafkaLog(broker[1])
    yield log
    log.close()


def send(producer: Producer, partition: int, rows: int) -> None:
    for n in range(rows):
        producer.produce(TOPIC, f"value {n}", f"key {n}", partition, headers=[("type", b"x")], timestamp=1_000 + n)
    assert producer.flush(10) == 0


def test_records_come_back_whole_and_in_order(broker: tuple[Producer, str], log: KafkaLog) -> None:
    send(broker[0], 0, 3)
    send(broker[0], 1, 2)
    bounds = log.bounds(TOPIC)
    found = log.read({TOPIC: bounds})[TOPIC]
    assert [(r.partition, r.offset) for r in found.records] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    first = found.records[0]
    assert (first.key, first.value, first.timestamp, first.headers) == (b"key 0", b"value 0", 1_000, (("type", b"x"),))
    assert {p: found.bounds[p] for p in (0, 1, 2)} == {0: (0, 3), 1: (0, 2), 2: (0, 0)}


def test_what_is_written_after_the_end_was_fixed_is_left_out(broker: tuple[Producer, str], log: KafkaLog) -> None:
    send(broker[0], 0, 3)
    bounds = log.bounds(TOPIC)
    send(broker[0], 0, 4)
    assert len(log.read({TOPIC: bounds})[TOPIC].records) == 3


def test_no_broker_is_one_sentence() -> None:
    log = KafkaLog("127.0.0.1:1", answer_seconds=0.2)
    with pytest.raises(KafkaUnavailable, match=r"127.0.0.1:1 does not answer"):
        log.bounds(TOPIC)
    log.close()
