"""Fetching: Faust's aiokafka thread, asked for raw rows, committed rows only, and explicit positions."""

# ruff: noqa: SLF001  # this is Faust's and aiokafka's inside: test_insides.py watches it

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from faust.transport.consumer import ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ensure_aiokafka_TP
from faust.types import TP

from stream_apps.transport.start import Bounds

_stock_consumer_record = PartitionRecords._consumer_record


def _raw(value: bytes) -> bytes:
    """Mark a consumer whose rows are wanted as the parser yields them."""
    return value


def _consumer_record(self: Any, tp: TopicPartition, record: Any) -> Any:
    return record if self._value_deserializer is _raw else _stock_consumer_record(self, tp, record)


def install_raw_rows() -> None:
    """Let consumers marked with `_raw` skip aiokafka's ConsumerRecord: a dataclass a row is 1.3 of 5.6 µs.

    Other aiokafka consumers of the process keep the stock behaviour.
    """
    PartitionRecords._consumer_record = _consumer_record


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """How far a partition was fetched: next offset to fetch, and the log's end as of the last answer."""

    position: int
    end: int


class FetchThread(AIOKafkaConsumerThread):
    """aiokafka's consumer in a thread and event loop of its own."""

    fetch_wait_ms: int
    reached: Mapping[TP, Reached] = {}
    """Per assigned partition, as of the moment the last fetched rows were taken out."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust hard-codes 1,500 ms: idle partitions then hold up busy ones of the same broker.
        consumer._fetch_max_wait_ms = self.fetch_wait_ms
        # Faust reads uncommitted rows unless it runs its own transactions; an aborted row must never be scored.
        consumer._isolation_level = "read_committed"
        consumer._value_deserializer = _raw
        return consumer

    async def _fetch_records(self, consumer: Any, active_partitions: Any, *args: Any, **options: Any) -> Any:
        records = await super()._fetch_records(consumer, active_partitions, *args, **options)
        # Taken here, with no await since the rows were, so that positions and rows belong together.
        self.reached = dict(_reached(consumer))
        return records

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """As stock; and every static member watches whether its topics are given more partitions."""
        self._watch_partitions()
        await super().on_partitions_assigned(assigned, generation_id)

    def _watch_partitions(self) -> None:
        # In aiokafka only the leader of the group watches, and a leader that was restarted within its session is not
        # told that it is one. Static members have a URL each, so that Faust's assignor knows what the group shares.
        coordinator: Any = self._ensure_consumer()._coordinator
        if coordinator._group_instance_id is None or coordinator._group_subscription is not None:
            return
        assignor: Any = self.app.assignor
        shared = Counter(topic for topics in assignor.external_topic_distribution.values()
                         for topic, partitions in topics.items() for _ in partitions)
        coordinator._group_subscription = coordinator._subscription.subscription.topics
        coordinator._metadata_snapshot = {topic: shared[topic] for topic in coordinator._group_subscription}

    async def bounds(self, tps: Iterable[TP]) -> dict[TP, Bounds]:
        """Ask Kafka for the group's commit, the first and the end offset of each partition."""
        return await self.call_thread(self._bounds, [ensure_aiokafka_TP(tp) for tp in tps])

    async def _bounds(self, tps: list[TopicPartition]) -> dict[TP, Bounds]:
        consumer: Any = self._ensure_consumer()
        committed = await consumer._coordinator.fetch_committed_offsets(tps)
        first = await consumer.beginning_offsets(tps)
        end = await consumer.end_offsets(tps)
        return {
            ensure_TP(tp): Bounds(
                committed=committed[tp].offset if tp in committed and committed[tp].offset >= 0 else None,
                first=first[tp],
                end=end[tp],
            )
            for tp in tps
        }

    async def seek_all(self, offsets: Mapping[TP, int]) -> None:
        """Set the fetch positions; rows fetched ahead of the call are dropped."""
        await self.call_thread(self._seek_all, offsets)

    async def _seek_all(self, offsets: Mapping[TP, int]) -> None:
        # In the thread: aiokafka's seek touches futures of its own loop (Faust calls it across threads).
        consumer = self._ensure_consumer()
        for tp in consumer.assignment() & {ensure_aiokafka_TP(tp) for tp in offsets}:
            consumer.seek(tp, offsets[ensure_TP(tp)])


def _reached(consumer: Any) -> Iterator[tuple[TP, Reached]]:
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription is not None else None
    if assignment is None:
        return
    for tp in assignment.tps:
        state = assignment.state_value(tp)
        if state.has_valid_position and state.lso is not None:
            yield ensure_TP(tp), Reached(position=state.position, end=state.lso)
