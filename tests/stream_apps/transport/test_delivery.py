"""Delivery: confirmed for every record of a call, or an error for that call."""

import asyncio
import random
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.partitioner import murmur2
from confluent_kafka.cimpl import NewPartitions, NewTopic
from hypothesis import given
from hypothesis import strategies as st

from kafka_access.access import KafkaAccess
from schemas.topics import MAX_RECORD_BYTES
from stream_apps.delivery import BATCH_BYTES, Delivery, DeliveryError, Record, requests
from tests.wait import wait_for

from .lab import Lab


@pytest.fixture
def lab(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(kafka, tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def roomy(lab: Lab) -> Iterator[str]:
    """A topic that takes what ours take."""
    topic = f"large-{uuid.uuid4().hex[:10]}"
    new = NewTopic(topic, lab.partitions, 1, config={"max.message.bytes": str(MAX_RECORD_BYTES)})
    lab.admin.create_topics([new])[topic].result()
    yield topic
    lab.admin.delete_topics([topic])[topic].result()


def test_what_was_sent_is_there_when_send_returns(lab: Lab) -> None:
    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send([Record(lab.output, None, b"%d" % n, b"%d" % n) for n in range(1000)])
        assert lab.written() == 1000
        await delivery.close()

    asyncio.run(scenario())
    assert sorted(lab.rows(lab.output)) == sorted(b"%d" % n for n in range(1000))


@given(sizes=st.lists(st.integers(0, BATCH_BYTES // 20), max_size=100))
def test_pairs_are_cut_into_requests_in_order_and_one_batch_is_not_cut(sizes: list[int]) -> None:
    pairs = [(None, bytes(size)) for size in sizes]
    cut = list(requests(pairs))
    assert [pair for part in cut for pair in part] == pairs
    assert all(cut)
    assert len(cut) <= 1 or sum(sizes) > BATCH_BYTES // 2


def test_a_named_partition_a_header_and_a_timestamp_reach_kafka(lab: Lab) -> None:
    headers = [("reason", b"test")]

    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send([Record(lab.output, n % 2, b"same", b"%d" % n) for n in range(10)])
        await delivery.send([Record(lab.more, 1, b"same", b"value", headers, 1_700_000_000_123)])
        await delivery.close()

    asyncio.run(scenario())
    assert lab.ends(lab.output) == [5, 5]
    (message,) = lab.messages(lab.more)
    assert (message.partition(), message.headers(), message.timestamp()[1]) == (1, headers, 1_700_000_000_123)


def test_a_key_goes_to_the_partition_that_every_murmur2_client_chooses(lab: Lab) -> None:
    keys = [b"entity-%d" % n for n in range(50)]

    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send([Record(lab.output, None, key, b"") for key in keys])
        await delivery.close()

    asyncio.run(scenario())
    chosen = {message.key(): message.partition() for message in lab.messages(lab.output)}
    assert chosen == {key: (murmur2(key) & 0x7FFFFFFF) % 2 for key in keys}


def test_of_several_overlapping_calls_exactly_those_with_a_refused_record_fail(lab: Lab) -> None:
    def batch(n: int) -> list[Record]:
        rows = [Record(lab.output, 0, b"", b"%d-%d" % (n, row)) for row in range(50)]
        return [*rows, Record(lab.output, 0, b"", bytes(MAX_RECORD_BYTES))] if n % 3 == 0 else rows

    async def scenario() -> list[BaseException | None]:
        delivery = Delivery(lab.kafka)
        outcomes = await asyncio.gather(*(delivery.send(batch(n)) for n in range(12)), return_exceptions=True)
        await delivery.close()
        return outcomes

    outcomes = asyncio.run(scenario())
    assert [isinstance(outcome, DeliveryError) for outcome in outcomes] == [n % 3 == 0 for n in range(12)]
    confirmed = {b"%d-%d" % (n, row) for n in range(12) if n % 3 for row in range(50)}
    assert confirmed <= set(lab.rows(lab.output))


def test_pairs_of_several_batches_arrive_in_order(lab: Lab, roomy: str) -> None:
    pairs = [(b"key", b"%08d" % n + bytes(50_000)) for n in range(200)]

    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send_pairs(roomy, 0, pairs)
        await delivery.close()

    assert len(list(requests(pairs))) > 1
    asyncio.run(scenario())
    assert lab.rows(roomy) == [value for _, value in pairs]


def test_few_pairs_of_many_overlapping_calls_are_there_when_their_call_returns(lab: Lab) -> None:
    async def one(delivery: Delivery, n: int) -> None:
        await delivery.send_pairs(lab.output, n % 2, [(b"key", b"%d-%d" % (n, row)) for row in range(5)])
        confirmed.append(n)

    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await asyncio.gather(*(one(delivery, n) for n in range(200)))
        await delivery.close()

    confirmed: list[int] = []
    asyncio.run(scenario())
    assert sorted(confirmed) == list(range(200))
    assert sorted(lab.rows(lab.output)) == sorted(b"%d-%d" % (n, row) for n in range(200) for row in range(5))


def test_few_pairs_for_a_partition_that_the_producer_has_not_heard_of_reach_it(lab: Lab) -> None:
    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send_pairs(lab.output, 0, [(b"", b"before")])
        lab.admin.create_partitions([NewPartitions(lab.output, 3)])[lab.output].result()
        lab.partitions = 3
        wait_for(lambda: lab.ends(lab.output) == [1, 0, 0], 20)
        await delivery.send_pairs(lab.output, 2, [(b"", b"after")])
        await delivery.close()

    asyncio.run(scenario())
    assert lab.ends(lab.output) == [1, 0, 1]


def test_a_record_as_large_as_ours_may_be_is_confirmed(lab: Lab, roomy: str) -> None:
    value = random.Random(1).randbytes(3 << 20)

    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send([Record(roomy, 0, b"", value)])
        await delivery.close()

    asyncio.run(scenario())
    assert lab.rows(roomy) == [value]


def test_a_partition_that_does_not_exist_is_an_error_and_not_another_partition(lab: Lab) -> None:
    async def scenario() -> None:
        delivery = Delivery(lab.kafka)
        await delivery.send([Record(lab.output, 0, b"", b"")])
        with pytest.raises(DeliveryError):
            await delivery.send([Record(lab.output, 99, b"", b"")])
        with pytest.raises(DeliveryError):
            await delivery.send_pairs(lab.output, 99, [(b"", b"")])
        await delivery.close()

    asyncio.run(scenario())
    assert lab.written() == 1


def test_without_a_broker_a_call_fails_after_its_timeout_and_close_does_not_wait_for_one(free_port: int) -> None:
    async def scenario() -> None:
        brief = Delivery(KafkaAccess(servers=f"127.0.0.1:{free_port}"), message_timeout=0.5)
        with pytest.raises(DeliveryError, match="timed out"):
            await brief.send([Record("nowhere", None, b"", b"")])
        with pytest.raises(DeliveryError, match="timed out"):
            await brief.send_pairs("nowhere", 0, [(b"", b"")])
        await brief.close()
        patient = Delivery(KafkaAccess(servers=f"127.0.0.1:{free_port}"), message_timeout=120)
        call = asyncio.create_task(patient.send([Record("nowhere", None, b"", b"")]))
        few = asyncio.create_task(patient.send_pairs("nowhere", 0, [(b"", b"")]))
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await patient.close(patience=0.1)
            with pytest.raises(DeliveryError, match=r"not confirmed: [1-9]\d* in the queue"):
                await call
            with pytest.raises(DeliveryError, match="1 records failed"):
                await few
        with pytest.raises(DeliveryError, match="closed"):
            await patient.send([Record("nowhere", None, b"", b"")])
        with pytest.raises(DeliveryError, match="closed"):
            await patient.send_pairs("nowhere", 0, [(b"", b"")])

    asyncio.run(scenario())


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
