"""Membership: Faust's aiokafka thread joins the group, hears of assignments, commits, and reads no row."""

# ruff: noqa: SLF001  # this is Faust's and aiokafka's inside: test_insides.py watches it

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from faust.transport.consumer import ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, ensure_aiokafka_TP
from faust.types import TP

from stream_apps.transport.start import Bounds


class GroupThread(AIOKafkaConsumerThread):
    """aiokafka's consumer in a thread and event loop of its own, with every partition paused."""

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """As stock, but nothing is fetched; and every static member watches whether its topics are given partitions."""
        consumer = self._ensure_consumer()
        for tp in consumer.assignment():
            consumer.seek(tp, 0)  # a position, so that it looks for none
            consumer.pause(tp)
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

    async def check(self) -> None:
        """Say that this process reads; raise what ended the membership: another took its name, or it may not join."""
        await self.call_thread(self._check)

    async def _check(self) -> None:
        consumer: Any = self._ensure_consumer()
        consumer._subscription._last_fetch_ended = time.monotonic()  # a member that seems not to read would leave
        consumer._coordinator.check_errors()

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
