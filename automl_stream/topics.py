"""The pipeline's topics in Kafka, created from the one table."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # pyright: ignore[reportPrivateImportUsage]  # documented

from schemas.pipeline import Pipeline
from schemas.topics import TOPICS, partition_count, topic_name, topic_settings

REPLICAS = 3
TIMEOUT_SECONDS = 30.0
ASK_SECONDS, ASK_AGAIN_SECONDS = 2.0, 0.1


class TopicsDiffer(Exception):
    """A topic exists with other partitions than the pipeline declares."""


def create_topics(pipeline: Pipeline, bootstrap_servers: str) -> None:
    """Create what is missing, replicated wherever there are brokers enough, and wait until all have their leader.

    Raises:
        TopicsDiffer: when a topic has another number of partitions.
        KafkaException: when the broker refuses.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 3})
    cluster = admin.list_topics(timeout=TIMEOUT_SECONDS)
    replicas = REPLICAS if len(cluster.brokers) >= REPLICAS else 1
    wanted = []
    for topic in TOPICS:
        name, partitions = topic_name(pipeline.name, topic), partition_count(pipeline, topic)
        settings = topic_settings(topic) | {"min.insync.replicas": str(min(2, replicas))}
        if name not in cluster.topics:
            wanted.append(NewTopic(name, partitions, replicas, config=settings))
        elif len(cluster.topics[name].partitions) != partitions:
            found = len(cluster.topics[name].partitions)
            raise TopicsDiffer(f"topic {name} has {found} partitions, the pipeline declares {partitions}; "
                               f"set pipeline.partitions = {found} or use another pipeline name")
    for future in (admin.create_topics(wanted, request_timeout=TIMEOUT_SECONDS) if wanted else {}).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    _await_leaders(pipeline, bootstrap_servers)


def _await_leaders(pipeline: Pipeline, bootstrap_servers: str) -> None:
    """A topic is created before its partitions have leaders, and a leader is named before it serves: ask each one."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "leaders", "log_level": 3})
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        for topic in TOPICS:
            for partition in range(partition_count(pipeline, topic)):
                _await_leader(consumer, TopicPartition(topic_name(pipeline.name, topic), partition), deadline)
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
        else:
            return
