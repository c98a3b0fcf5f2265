"""The pipeline's topics in Kafka, created from the one table."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.pipeline import Pipeline
from schemas.topics import TOPICS, partition_count, topic_name, topic_settings


class TopicsDiffer(Exception):
    """A topic exists with other partitions than the pipeline declares."""


def create_topics(pipeline: Pipeline, bootstrap_servers: str) -> None:
    """Create what is missing; replicated three times wherever there are three brokers.

    Raises:
        TopicsDiffer: when a topic has another number of partitions.
        KafkaException: when the broker refuses.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    cluster = admin.list_topics(timeout=30)
    replicas = 3 if len(cluster.brokers) >= 3 else 1
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
    for future in (admin.create_topics(wanted, request_timeout=30) if wanted else {}).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
