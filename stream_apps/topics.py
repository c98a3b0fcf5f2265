"""What a service asks of Kafka about its topics, beside the stream it follows."""

from collections.abc import AsyncGenerator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from kafka_access.access import KafkaAccess
from stream_apps.settings import StartError


class MissingTopic(StartError):
    """A topic of the pipeline does not exist."""


def topic_id(topic: str, kafka: KafkaAccess) -> str:
    """Kafka's own id of a topic: it changes when the topic is created anew, as the meaning of its offsets does.

    Raises:
        MissingTopic: when there is no such topic.
    """
    return str(_describe(topic, kafka).topic_id)


def count_partitions(topic: str, kafka: KafkaAccess) -> int:
    """How many partitions a topic has now: at least as many as the pipeline file says.

    Raises:
        MissingTopic: when there is no such topic.
    """
    return len(_describe(topic, kafka).partitions)


def _describe(topic: str, kafka: KafkaAccess) -> Any:
    admin = AdminClient({**kafka.librdkafka(), "log_level": 3})
    future = admin.describe_topics(TopicCollection([topic]), request_timeout=30)[topic]
    try:
        return future.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise  # a broker that is slow or away: the next start may find it
        raise MissingTopic(f"topic {topic} is not there; `automl-stream up` creates it") from error


async def log_bounds(topic: str, kafka: KafkaAccess) -> tuple[int, int]:
    """First offset and end (exclusive) of a one-partition topic."""
    partition = TopicPartition(topic, 0)
    async with _reader(kafka) as consumer:
        first = (await consumer.beginning_offsets([partition]))[partition]
        return first, (await consumer.end_offsets([partition]))[partition]


async def read_all(topic: str, kafka: KafkaAccess) -> list[tuple[int, bytes | None]]:
    """(offset, value) of every record of a one-partition topic, oldest first."""
    return [record async for record in read_each(topic, kafka)]


async def read_each(topic: str, kafka: KafkaAccess, *, first: int = 0,
                    end: int | None = None) -> AsyncGenerator[tuple[int, bytes | None]]:
    """(offset, value) of every record of a one-partition topic from offset `first` on, before `end` or up to what it
    holds by now, oldest first."""
    partition = TopicPartition(topic, 0)
    async with _reader(kafka) as consumer:
        first = max(first, (await consumer.beginning_offsets([partition]))[partition])
        held = (await consumer.end_offsets([partition]))[partition]
        end = held if end is None else min(end, held)
        consumer.assign([partition])
        # Not seek_to_beginning: aiokafka's own reset, to the end, may answer after it.
        consumer.seek(partition, first)
        while await consumer.position(partition) < end:
            batches = await consumer.getmany(partition, timeout_ms=1_000)
            for record in batches.get(partition, []):
                if record.offset < end:
                    yield record.offset, record.value


def _reader(kafka: KafkaAccess) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(**kafka.aiokafka(), enable_auto_commit=False, fetch_max_wait_ms=50)
