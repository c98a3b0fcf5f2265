"""More partitions for a pipeline while everything runs."""

from collections.abc import Callable

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    NewPartitions,  # pyright: ignore[reportPrivateImportUsage]  # documented
)

from automl_stream.topics import TIMEOUT_SECONDS, await_leaders, count_partitions
from automl_stream.wrong_use import WrongUse
from kafka_access.access import KafkaAccess
from schemas.codec import encode
from schemas.messages import PartitionCount
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, LABELS, PREDICTIONS, SCORE_STATE, WINDOW_COUNTS, Topic, topic_name

BEFORE_EVENTS = (PREDICTIONS, SCORE_STATE, LABELS)  # what a row of a new partition leads to must have its place


class PartitionsFailed(Exception):
    """Kafka did not take a step; the message says which. What was done stands: the same command goes on from there."""


def raise_partitions(pipeline: Pipeline, kafka: KafkaAccess, wanted: int, say: Callable[[str], None]) -> None:
    """Give the pipeline's topics `wanted` partitions; run again, it finishes what a crash left half done.

    The window counts are told before `events` grows: whoever reads them then waits for the new partitions, and closes
    no window without the rows that go there.

    Raises:
        WrongUse: when a topic is missing, or has more partitions already.
        PartitionsFailed: when Kafka does not take a step.
    """
    admin = AdminClient({**kafka.librdkafka(), "log_level": 3})
    try:
        found = {topic: count_partitions(admin, topic_name(pipeline.name, topic)) for topic in (*BEFORE_EVENTS, EVENTS)}
        _require_possible(pipeline, found, wanted)
        for topic in BEFORE_EVENTS:
            if found[topic] < wanted:
                _grow(admin, kafka, topic_name(pipeline.name, topic), wanted)
        if found[EVENTS] == wanted:
            say(f"{pipeline.name} has {wanted} partitions.")
            return
        _announce(pipeline, kafka, PartitionCount(partitions=wanted, before=found[EVENTS]))
        _grow(admin, kafka, topic_name(pipeline.name, EVENTS), wanted)
    except KafkaException as error:
        raise PartitionsFailed(f"Kafka at {kafka.servers} did not do it ({error.args[0].str()}); see to the broker "
                               "and give the command again: until it ends well no window of "
                               f"{pipeline.name} may close") from error
    say(f"{pipeline.name} has {wanted} partitions instead of {found[EVENTS]}. Score workers and producers notice "
        "within seconds; an entity may have another partition from now on.")


def _require_possible(pipeline: Pipeline, found: dict[Topic, int], wanted: int) -> None:
    for topic, partitions in found.items():
        name = topic_name(pipeline.name, topic)
        if not partitions:
            raise WrongUse(f"topic {name} is not there; `automl-stream up` creates the topics of a pipeline")
        if partitions > wanted:
            raise WrongUse(f"topic {name} has {partitions} partitions and Kafka cannot take any away; "
                           f"ask for {partitions} at least")


def _grow(admin: AdminClient, kafka: KafkaAccess, topic: str, wanted: int) -> None:
    """Up to `wanted` partitions, each with a leader that serves."""
    admin.create_partitions([NewPartitions(topic, wanted)], request_timeout=TIMEOUT_SECONDS)[topic].result()
    await_leaders(kafka, {topic: wanted})


def _announce(pipeline: Pipeline, kafka: KafkaAccess, count: PartitionCount) -> None:
    topic, failed = topic_name(pipeline.name, WINDOW_COUNTS), []
    producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "log_level": 3,
                         "message.timeout.ms": round(TIMEOUT_SECONDS * 1_000)})
    producer.produce(topic, encode(count), b"partitions", on_delivery=lambda error, _: failed.append(error))
    producer.flush()
    if failed != [None]:
        raise PartitionsFailed(f"{topic} was not told of {count.partitions} partitions ({failed}); see to the broker "
                               "and give the command again")
