"""Where a partition of `events` stands when it is assigned: its checkpoint, and how far predictions have gone."""

import asyncio
import time
from collections.abc import Collection

from confluent_kafka import Consumer, KafkaException, TopicPartition
from msgspec import Struct

from kafka_access.access import NO_GROUP, KafkaAccess
from schemas.codec import decode
from schemas.messages import Prediction, ScoreState
from schemas.topics import EVENTS, PREDICTIONS, SCORE_STATE, topic_name

ANSWER_SECONDS = 20.0
PAUSE_SECONDS = 0.1


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
    """Standing of each partition: the last record of a partition of `score-state` is its checkpoint."""
    return await asyncio.to_thread(_read_standings, pipeline, partitions, kafka)


def _read_standings(pipeline: str, partitions: Collection[int], kafka: KafkaAccess) -> dict[int, Standing]:
    # Not aiokafka's consumer: its stop() may wait for ever, or end as cancelled, when a fetch has just begun.
    consumer = Consumer({**kafka.librdkafka(), "group.id": f"{NO_GROUP}standings",
                         "enable.auto.commit": False, "fetch.wait.max.ms": 20, "log_level": 3})
    try:
        first = {p: _bounds(consumer, topic_name(pipeline, EVENTS), p)[0] for p in partitions}
        states = _last_values(consumer, topic_name(pipeline, SCORE_STATE), partitions)
        predictions = _last_values(consumer, topic_name(pipeline, PREDICTIONS), partitions)
    finally:
        consumer.close()
    return {p: Standing(first=first[p], state=decode(states[p], ScoreState) if p in states else None,
                        predicted=_end(predictions.get(p))) for p in partitions}


def _end(prediction: bytes | None) -> int:
    """Offset after the event of a prediction."""
    return 0 if prediction is None else int(decode(prediction, Prediction).source.rpartition("-")[2]) + 1


def _last_values(consumer: Consumer, topic: str, partitions: Collection[int]) -> dict[int, bytes]:
    """Value of the last record of each partition that has one."""
    bounds = {p: _bounds(consumer, topic, p) for p in partitions}
    missing = {p for p, (first, end) in bounds.items() if first < end}
    consumer.assign([TopicPartition(topic, p, bounds[p][1] - 1) for p in missing])
    found: dict[int, bytes] = {}
    deadline = time.monotonic() + ANSWER_SECONDS
    while missing:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found[message.partition() or 0] = message.value() or b""
            missing.discard(message.partition() or 0)
        elif time.monotonic() > deadline:
            raise UnreadableStanding(f"{topic}: the last records of partitions {sorted(missing)} did not come within "
                                     f"{ANSWER_SECONDS:.0f} s")
    return found


def _bounds(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
        except KafkaException as error:  # a new topic, or one whose leader has moved, is not known to every broker yet
            if time.monotonic() > deadline:
                raise UnreadableStanding(f"{topic}[{partition}]: Kafka did not say within {ANSWER_SECONDS:.0f} s where "
                                         f"it ends: {error.args[0].str()}") from error
        time.sleep(PAUSE_SECONDS)
