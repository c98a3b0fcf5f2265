"""Topics and permissions of a pipeline as resources of Strimzi (kafka.strimzi.io/v1), whose operators make them."""

from collections.abc import Iterator
from itertools import groupby

from kafka_access.acls import SERVICES, Permission, permissions
from schemas.pipeline import Pipeline
from schemas.topics import TOPICS, Topic, partition_count, topic_name, topic_settings

REPLICAS, IN_SYNC = 3, 2


def resources(pipeline: Pipeline, cluster: str) -> str:
    """A KafkaTopic for each topic and a KafkaUser for each service, as a YAML stream; `cluster` names the Kafka."""
    documents = [*(_topic(pipeline, topic, cluster) for topic in TOPICS), *_users(pipeline.name, cluster)]
    return "".join(f"---\n{document}" for document in documents)


def _topic(pipeline: Pipeline, topic: Topic, cluster: str) -> str:
    name = topic_name(pipeline.name, topic)
    settings = topic_settings(pipeline, topic) | {"min.insync.replicas": str(IN_SYNC)}
    lines = "".join(f"    {key}: {value}\n" for key, value in sorted(settings.items()))
    return (f"{_head('KafkaTopic', _resource_name(name), cluster)}  topicName: {name}\n"
            f"  partitions: {partition_count(pipeline, topic)}\n  replicas: {REPLICAS}\n  config:\n{lines}")


def _users(pipeline: str, cluster: str) -> Iterator[str]:
    allowed = permissions(pipeline)
    for service in SERVICES:
        rules = "".join(_rules([permission for permission in allowed if permission.service == service]))
        yield (f"{_head('KafkaUser', _resource_name(f'{pipeline}-{service}'), cluster)}"
               "  authentication:\n    type: scram-sha-512\n"
               f"  authorization:\n    type: simple\n    acls:\n{rules}")


def _rules(allowed: list[Permission]) -> Iterator[str]:
    for (kind, name, prefixed), found in groupby(allowed, lambda one: (one.resource, one.name, one.prefixed)):
        operations = ", ".join(permission.operation for permission in found)
        pattern = "prefix" if prefixed else "literal"
        yield (f"      - resource: {{type: {kind}, name: {name}, patternType: {pattern}}}\n"
               f"        operations: [{operations}]\n")


def _head(kind: str, name: str, cluster: str) -> str:
    return (f"apiVersion: kafka.strimzi.io/v1\nkind: {kind}\nmetadata:\n  name: {name}\n"
            f"  labels:\n    strimzi.io/cluster: {cluster}\nspec:\n")


def _resource_name(name: str) -> str:
    """Kubernetes knows no underscores; a pipeline's name has no dash, so no two become one."""
    return name.replace("_", "-")
