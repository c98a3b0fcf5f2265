"""The pipeline's topics in Kafka, created from the one table; from then on Kafka says how many partitions there are."""

import time
from contextlib import suppress
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,  # pyright: ignore[reportPrivateImportUsage]  # documented
    ClusterMetadata,  # pyright: ignore[reportPrivateImportUsage]  # documented
    ConfigEntry,  # pyright: ignore[reportPrivateImportUsage]  # documented
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage]  # documented
    NewTopic,  # pyright: ignore[reportPrivateImportUsage]  # documented
)

from kafka_access.access import NO_GROUP, KafkaAccess
from schemas.pipeline import Pipeline
from schemas.topics import TOPICS, partition_count, topic_name, topic_settings

REPLICAS = 3
TIMEOUT_SECONDS = 30.0
ASK_SECONDS, ASK_AGAIN_SECONDS = 2.0, 0.1


class TopicsDiffer(Exception):
    """A topic exists with fewer partitions than the pipeline declares."""


class Client(Protocol):
    """Any client of confluent_kafka."""

    def list_topics(self, topic: str = ..., timeout: float = ...) -> ClusterMetadata:
        """What the cluster says of a topic."""
        ...


def count_partitions(client: Client, topic: str) -> int:
    """How many partitions a topic has now; 0 where there is none.

    Raises:
        KafkaException: when no broker answers.
    """
    return len(client.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic].partitions)


def create_topics(pipeline: Pipeline, kafka: KafkaAccess) -> None:
    """Create what is missing, replicated wherever there are brokers enough, and wait until all have their leader. What
    is there is given the retention that the pipeline declares.

    Raises:
        TopicsDiffer: when a topic has fewer partitions; it may have been given more.
        KafkaException: when the broker refuses.
    """
    admin = AdminClient({**kafka.librdkafka(), "log_level": 3})
    cluster = admin.list_topics(timeout=TIMEOUT_SECONDS)
    replicas = REPLICAS if len(cluster.brokers) >= REPLICAS else 1
    wanted, there = [], []
    for topic in TOPICS:
        name, partitions = topic_name(pipeline.name, topic), partition_count(pipeline, topic)
        settings = topic_settings(pipeline, topic) | {"min.insync.replicas": str(min(2, replicas))}
        if name not in cluster.topics:
            wanted.append(NewTopic(name, partitions, replicas, config=settings))
        elif (found := len(cluster.topics[name].partitions)) < partitions:
            raise TopicsDiffer(f"topic {name} has {found} partitions, the pipeline declares {partitions}; set "
                               f"pipeline.partitions = {found}, and then `automl-stream partitions` gives it more")
        elif "retention.ms" in settings:
            there.append(ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[
                ConfigEntry("retention.ms", settings["retention.ms"],
                            incremental_operation=AlterConfigOpType.SET)]))
    for future in admin.incremental_alter_configs(there).values() if there else ():
        future.result(TIMEOUT_SECONDS)
    for future in (admin.create_topics(wanted, request_timeout=TIMEOUT_SECONDS) if wanted else {}).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    await_leaders(kafka, {topic_name(pipeline.name, t): partition_count(pipeline, t) for t in TOPICS})


def await_leaders(kafka: KafkaAccess, topics: dict[str, int]) -> None:
    """A topic is created before its partitions have leaders, and a leader is named before it serves: ask each one.

    Raises:
        KafkaException: when one of so many partitions of a topic has none in time.
    """
    consumer = Consumer({**kafka.librdkafka(), "group.id": f"{NO_GROUP}leaders", "log_level": 3})
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        for topic, partitions in topics.items():
            for partition in range(partitions):
                _await_leader(consumer, TopicPartition(topic, partition), deadline)
    finally:
        consumer.close()


def _await_leader(consumer: Consumer, partition: TopicPartition, deadline: float) -> None:
    while True:
        try:
            consumer.get_watermark_offsets(partition, timeout=ASK_SECONDS)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(ASK_AGAIN_SECONDS)
            with suppress(KafkaException):  # what it knows of the topic may be older than the partition
                consumer.list_topics(partition.topic, timeout=ASK_SECONDS)
        else:
            return
