"""Checkpoints of the score agent: the last record of a partition of `score-state` is its state."""

from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import decode
from schemas.messages import ScoreState


async def load_checkpoints(topic: str, partitions: Collection[int], bootstrap_servers: str,
                           security: dict[str, Any] | None = None) -> dict[int, ScoreState]:
    """Last checkpoint of each partition that has one. One key a partition: the last record is the state."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False,
                                fetch_max_wait_ms=100, **(security or {}))
    await consumer.start()
    try:
        wanted = [TopicPartition(topic, p) for p in partitions]
        ends = await consumer.end_offsets(wanted)
        missing = {tp for tp in wanted if ends[tp] > 0}
        consumer.assign(list(missing))
        for tp in missing:
            consumer.seek(tp, ends[tp] - 1)
        found: dict[int, ScoreState] = {}
        while missing:
            for tp, records in (await consumer.getmany(timeout_ms=1_000)).items():
                if records:
                    found[tp.partition] = decode(records[-1].value or b"", ScoreState)
                    missing.discard(tp)
        return found
    finally:
        await consumer.stop()
