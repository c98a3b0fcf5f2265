"""The definition that is in force: the newest accepted version on `config`, else the pipeline file."""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from kafka_access.access import NO_GROUP, KafkaAccess
from kafka_access.leaders import UNKNOWN, once_led
from schemas.configuration import ConfigurationLog
from schemas.pipeline import Pipeline
from schemas.topics import CONFIG, topic_name

ANSWER_SECONDS = 30.0
_POLL_SECONDS = 0.5


class UnreadableDefinition(Exception):
    """Kafka does not give the versions of the definition. Retriable: the process ends and is started again."""


def in_force(pipeline: Pipeline, kafka: KafkaAccess) -> tuple[Pipeline, int]:
    """The definition to run with, and the offset of its version: `pipeline` and -1 where none was published.

    Raises:
        UnreadableDefinition: when Kafka does not answer.
    """
    versions = read_versions(pipeline.name, kafka)
    current = versions.current
    return (pipeline if current is None else current.pipeline), versions.offset


def read_versions(name: str, kafka: KafkaAccess) -> ConfigurationLog:
    """Every accepted version of a pipeline up to now; none where the topic is older than such versions.

    Raises:
        UnreadableDefinition: when Kafka does not answer.
    """
    versions, place = ConfigurationLog(name=name), TopicPartition(topic_name(name, CONFIG), 0, 0)
    consumer = Consumer({**kafka.librdkafka(), "group.id": f"{NO_GROUP}config", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "fetch.wait.max.ms": 20, "log_level": 3})
    try:
        _, end = once_led(lambda: consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS), ANSWER_SECONDS)
        consumer.assign([place])
        _fold(consumer, versions, end)
    except KafkaException as error:
        if error.args[0].code() not in UNKNOWN:
            raise UnreadableDefinition(f"topic {place.topic} at {kafka.servers} cannot be read "
                                       f"({error.args[0].str()}); see to the broker") from error
    finally:
        consumer.close()
    return versions


def _fold(consumer: Consumer, versions: ConfigurationLog, end: int) -> None:
    position, deadline = 0, time.monotonic() + ANSWER_SECONDS
    while position < end:
        message = consumer.poll(_POLL_SECONDS)
        if message is not None and message.error() is not None:
            raise KafkaException(message.error())
        if message is not None:
            offset = message.offset() or 0
            versions.read(offset, message.value())
            position = offset + 1
        elif time.monotonic() > deadline:
            raise UnreadableDefinition("the versions of the definition did not come within "
                                       f"{ANSWER_SECONDS:.0f} s; see to the broker")
