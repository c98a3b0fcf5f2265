"""Where a partition of `events` stands when it is assigned: its checkpoint, and how far predictions have gone."""

import asyncio
import time
from collections.abc import Collection
from itertools import chain

from confluent_kafka import Consumer, KafkaException, TopicPartition
from msgspec import Struct

from kafka_access.access import NO_GROUP, KafkaAccess
from kafka_access.leaders import LEADERLESS, UNKNOWN, once_led
from schemas.codec import decode
from schemas.messages import Prediction, ScoreState
from schemas.score_log import TAIL, standing
from schemas.topics import EVENTS, PREDICTIONS, SCORE_STATE, topic_name

ANSWER_SECONDS = 20.0


class UnreadableStanding(Exception):
    """Kafka does not say where a partition stands. The process ends and is started again."""


class Standing(Struct, frozen=True, kw_only=True):
    """One partition. `first`: first offset in `events`; `predicted`: end (exclusive) of what has a prediction.

    Rows between the checkpoint's `covered` and `predicted` were scored by a worker that did not come to say so: its
    models score them again, so that the same rows get the same answers.
    """

    first: int
    state: ScoreState | None
    predicted: int


async def read_standings(pipeline: str, partitions: Collection[int], kafka: KafkaAccess) -> dict[int, Standing]:
    """Standing of each partition, by the ends of `score-state` and of `predictions`."""
    return await asyncio.to_thread(_read_standings, pipeline, partitions, kafka)


def _read_standings(pipeline: str, partitions: Collection[int], kafka: KafkaAccess) -> dict[int, Standing]:
    # Not aiokafka's consumer: its stop() may wait for ever, or end as cancelled, when a fetch has just begun.
    consumer = Consumer({**kafka.librdkafka(), "group.id": f"{NO_GROUP}standings",
                         "enable.auto.commit": False, "fetch.wait.max.ms": 20, "log_level": 3})
    try:
        first = {p: _bounds(consumer, topic_name(pipeline, EVENTS), p)[0] for p in partitions}
        states = standing(decode(value, ScoreState) for value in chain.from_iterable(
            _tails(consumer, topic_name(pipeline, SCORE_STATE), partitions, TAIL).values()))
        predictions = _tails(consumer, topic_name(pipeline, PREDICTIONS), partitions, 1)
    finally:
        consumer.close()
    return {p: Standing(first=first[p], state=states.get(p), predicted=_end(predictions.get(p))) for p in partitions}


def _end(predictions: list[bytes] | None) -> int:
    """Offset after the event of the last prediction."""
    return int(decode(predictions[-1], Prediction).source.rpartition("-")[2]) + 1 if predictions else 0


def _tails(consumer: Consumer, topic: str, partitions: Collection[int], count: int) -> dict[int, list[bytes]]:
    """Values of the last `count` records of each partition that has any; fewer where compaction removed some."""
    bounds = {p: _bounds(consumer, topic, p) for p in partitions}
    missing = {p for p, (first, end) in bounds.items() if first < end}
    consumer.assign([TopicPartition(topic, p, max(bounds[p][0], bounds[p][1] - count)) for p in missing])
    found: dict[int, list[bytes]] = {p: [] for p in missing}
    deadline = time.monotonic() + ANSWER_SECONDS
    while missing:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            partition = message.partition() or 0
            if partition in missing:
                found[partition].append(message.value() or b"")
            if (message.offset() or 0) >= bounds[partition][1] - 1:
                missing.discard(partition)
        elif time.monotonic() > deadline:
            raise UnreadableStanding(f"{topic}: the last records of partitions {sorted(missing)} did not come within "
                                     f"{ANSWER_SECONDS:.0f} s")
    return found


def _bounds(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    place = TopicPartition(topic, partition)
    try:
        return once_led(lambda: consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS), ANSWER_SECONDS,
                        LEADERLESS + UNKNOWN)
    except KafkaException as error:
        raise UnreadableStanding(f"{topic}[{partition}]: Kafka did not say within {ANSWER_SECONDS:.0f} s where it "
                                 f"ends: {error.args[0].str()}") from error
