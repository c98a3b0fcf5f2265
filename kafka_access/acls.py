"""Who may do what in Kafka: one principal a service, and no more than the table of topics says that it writes and
reads."""

import shlex
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from kafka_access.access import NO_GROUP
from schemas.topics import EVENTS, LABELS, TOPICS, Topic, topic_name

SERVICES = ("producers", "predict", "score", "monitor", "labels", "record", "trainer", "operator")
OPERATOR = "operator"  # who runs the command line: makes topics, orders, bootstraps, verifies
WITH_GROUPS = ("score", "monitor", "labels", "record", "trainer")

Operation = Literal["Read", "Write", "Describe", "All"]
Resource = Literal["topic", "group"]

# What the table of topics does not say: a replay is resumed by what it has written, the prediction API appends its
# requests, and the monitor asks how many partitions there are.
BESIDE_THE_TABLE: tuple[tuple[str, Operation, Topic], ...] = (
    ("producers", "Read", EVENTS), ("producers", "Read", LABELS), ("predict", "Write", EVENTS),
    ("monitor", "Describe", EVENTS),
)


class Permission(Struct, frozen=True, kw_only=True, order=True):
    """One thing that a service may do with a topic or group, or with all whose names begin like this."""

    service: str
    resource: Resource
    name: str
    operation: Operation
    prefixed: bool = False


def permissions(pipeline: str) -> list[Permission]:
    """Everything that the services of a pipeline need, and nothing else."""
    return sorted({*_of_topics(pipeline), *_of_groups(pipeline), *_of_the_operator(pipeline)})


def commands(pipeline: str, principal: str) -> Iterator[str]:
    """Arguments of Kafka's own `kafka-acls --bootstrap-server ... --command-config ...`, one line a permission;
    `principal` names a service's user, with {pipeline} and {service} filled in."""
    for permission in permissions(pipeline):
        user = principal.format(pipeline=pipeline, service=permission.service)
        pattern = "prefixed" if permission.prefixed else "literal"
        yield shlex.join(["--add", "--allow-principal", user, "--operation", permission.operation,
                          f"--{permission.resource}", permission.name, "--resource-pattern-type", pattern])


def _of_topics(pipeline: str) -> Iterator[Permission]:
    for topic in TOPICS:
        if topic.producer in SERVICES:  # else the command line, which is the operator's
            yield _of_topic(pipeline, topic.producer, "Write", topic)
        for reader in topic.consumers:
            yield _of_topic(pipeline, reader, "Read", topic)
    for service, operation, topic in BESIDE_THE_TABLE:
        yield _of_topic(pipeline, service, operation, topic)


def _of_topic(pipeline: str, service: str, operation: Operation, topic: Topic) -> Permission:
    return Permission(service=service, resource="topic", name=topic_name(pipeline, topic), operation=operation)


def _of_groups(pipeline: str) -> Iterator[Permission]:
    for service in WITH_GROUPS:
        yield Permission(service=service, resource="group", name=f"{pipeline}.{service}", operation="Read")
    for service in SERVICES:
        yield Permission(service=service, resource="group", name=NO_GROUP, operation="Describe", prefixed=True)


def _of_the_operator(pipeline: str) -> Iterator[Permission]:
    resources: tuple[Resource, ...] = ("topic", "group")
    for resource in resources:
        yield Permission(service=OPERATOR, resource=resource, name=f"{pipeline}.", operation="All", prefixed=True)
