"""What a replay writes, against librdkafka's own mock of a broker."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaError, Producer

from automl_stream.dead_letters.errors import NotConfirmed
from automl_stream.dead_letters.replayer import Replayer
from automl_stream.topic_log import Record, TopicLog
from kafka_access.access import KafkaAccess

from .letters import WRITTEN, letter, source

TOPIC = "tiny.events"


@pytest.fixture
def kafka() -> Iterator[KafkaAccess]:
    """A mock broker; it lives as long as the producer that hosts it."""
    host = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "", "log_level": 0})
    node = next(iter(host.list_topics(timeout=10).brokers.values()))
    yield KafkaAccess(servers=f"{node.host}:{node.port}")
    host.flush(10)


def written(kafka: KafkaAccess) -> list[Record]:
    with closing(TopicLog(kafka)) as log:
        return log.read({TOPIC: log.bounds(TOPIC)})[TOPIC].records


def test_a_letter_is_written_as_the_event_it_was_with_a_header_that_names_its_origin(kafka: KafkaAccess) -> None:
    confirmed: list[int] = []
    replayer = Replayer(TOPIC, kafka, confirmed.append)
    replayer.send(letter(source(5), raw=b"\x00{"), source(3))
    replayer.send(letter(source(6), raw=b"[]"), source(6))
    assert replayer.finish() == 2
    first, second = sorted(written(kafka), key=lambda r: r.value or b"")
    assert (first.value, first.key, first.headers) == (b"\x00{", b"k", (("replayed-from", b"a-b_C-0-3"),))
    assert (second.value, second.headers) == (b"[]", (("replayed-from", b"a-b_C-0-6"),))
    assert {first.partition, second.partition} == {(murmur2(b"k") & 0x7FFFFFFF) % 4}
    assert confirmed == [1, 2]


def test_a_replay_is_never_older_than_its_letter(kafka: KafkaAccess) -> None:
    ahead = 2**42
    replayer = Replayer(TOPIC, kafka, lambda _: None)
    replayer.send(letter(source(5), written=ahead), source(5))
    replayer.send(letter(source(6)), source(6))
    replayer.finish()
    later, now = sorted((r.timestamp for r in written(kafka)), reverse=True)
    assert later == ahead
    assert WRITTEN < now < ahead


def test_an_event_that_is_too_large_costs_only_itself(kafka: KafkaAccess) -> None:
    replayer = Replayer(TOPIC, kafka, lambda _: None)
    replayer.send(letter(source(5), raw=bytes(5 << 20)), source(5))
    replayer.send(letter(source(6)), source(6))
    assert replayer.finish() == 1
    assert replayer.too_large == [source(5)]


def test_a_failure_of_kafka_ends_the_replay_with_what_to_do(kafka: KafkaAccess) -> None:
    replayer = Replayer(TOPIC, kafka, lambda _: None)
    replayer._note(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not yours"), source(5))
    with pytest.raises(NotConfirmed, match=r"a-b_C-0-5: not yours.*run the same command again"):
        replayer.send(letter(source(6)), source(6))
