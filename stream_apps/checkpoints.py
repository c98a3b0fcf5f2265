"""Where a partition of `events` stands when it is assigned: its checkpoint, and how far predictions have gone."""

from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from schemas.codec import decode
from schemas.messages import Prediction, ScoreState
from schemas.topics import EVENTS, PREDICTIONS, SCORE_STATE, topic_name


class Standing(Struct, frozen=True, kw_only=True):
    """One partition. `first`: first offset in `events`; `predicted`: end (exclusive) of what has a prediction.

    Rows between the checkpoint's `covered` and `predicted` were scored by a worker that did not come to say so: its
    models score them again, so that the same rows get the same answers.
    """

    first: int
    state: ScoreState | None
    predicted: int


async def read_standings(pipeline: str, partitions: Collection[int], bootstrap_servers: str,
                         security: dict[str, Any] | None = None) -> dict[int, Standing]:
    """Standing of each partition: the last record of a partition of `score-state` is its checkpoint."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False,
                                fetch_max_wait_ms=100, **(security or {}))
    await consumer.start()
    try:
        events = [TopicPartition(topic_name(pipeline, EVENTS), p) for p in partitions]
        first = await consumer.beginning_offsets(events)
        states = await _last_values(consumer, topic_name(pipeline, SCORE_STATE), partitions)
        predictions = await _last_values(consumer, topic_name(pipeline, PREDICTIONS), partitions)
        return {tp.partition: Standing(
            first=first[tp],
            state=decode(states[tp.partition], ScoreState) if tp.partition in states else None,
            predicted=_end(predictions.get(tp.partition)),
        ) for tp in events}
    finally:
        await consumer.stop()


def _end(prediction: bytes | None) -> int:
    """Offset after the event of a prediction."""
    return 0 if prediction is None else int(decode(prediction, Prediction).source.rpartition("-")[2]) + 1


async def _last_values(consumer: AIOKafkaConsumer, topic: str, partitions: Collection[int]) -> dict[int, bytes]:
    """Value of the last record of each partition that has one."""
    wanted = [TopicPartition(topic, p) for p in partitions]
    first, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
    missing = {tp for tp in wanted if ends[tp] > first[tp]}
    if not missing:
        return {}  # aiokafka's fetcher may never stop when that follows an assignment at once
    consumer.assign(list(missing))
    for tp in missing:
        consumer.seek(tp, ends[tp] - 1)
    found: dict[int, bytes] = {}
    while missing:
        for tp, records in (await consumer.getmany(timeout_ms=1_000)).items():
            if records:
                found[tp.partition] = records[-1].value or b""
                missing.discard(tp)
    return found
