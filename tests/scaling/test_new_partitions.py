"""Producers that know a topic write to the partitions it is given."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_stream.partitions import raise_partitions
from kafka_access.access import KafkaAccess
from producers.outbox import Outbox, Tally
from schemas.topics import EVENTS, PREDICTIONS, topic_name
from stream_apps.delivery import Delivery, Record
from tests.live import Live


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    live = Live(kafka, tmp_path)
    yield live
    live.close()


def test_a_service_writes_at_once_to_a_partition_that_its_producers_have_not_heard_of(
        live: Live, kafka: KafkaAccess) -> None:
    topic = topic_name(live.name, PREDICTIONS)

    async def scenario() -> None:
        delivery = Delivery(kafka)
        for _ in range(2):  # both producers
            await delivery.send_pairs(topic, 1, [(b"k", b"known")])
        raise_partitions(live.pipeline, kafka, 4, lambda _: None)
        await delivery.send_pairs(topic, 3, [(b"k", b"%d" % n) for n in range(3)])
        await delivery.send([Record(topic, 2, b"k", b"by the other producer")])
        await delivery.close()

    asyncio.run(scenario())
    found = [(r.partition, r.value) for r in live.records(PREDICTIONS) if r.partition > 1]
    assert found == [(2, b"by the other producer"), (3, b"0"), (3, b"1"), (3, b"2")]


def test_a_replay_that_asks_again_reaches_the_new_partitions(live: Live, kafka: KafkaAccess) -> None:
    tally = Tally(topic=topic_name(live.name, EVENTS))
    outbox = Outbox(kafka)
    outbox.send(tally, None, b"{}", [], 1)
    outbox.flush()
    raise_partitions(live.pipeline, kafka, 4, lambda _: None)
    for partition in range(outbox.partitions(tally.topic)):
        outbox.send(tally, None, b"{}", [], partition)
    outbox.flush()
    assert live.bounds(EVENTS) == {0: (0, 1), 1: (0, 2), 2: (0, 1), 3: (0, 1)}
    assert tally.confirmed == 5
