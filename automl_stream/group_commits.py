"""What a consumer group has committed, and how it is forgotten."""

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from kafka_access.access import KafkaAccess

Place = tuple[str, int]  # topic and partition
ANSWER_SECONDS = 10.0
FORGET_SECONDS = 30.0  # within which Kafka forgets a member that has ended
ASK_AGAIN_SECONDS = 0.5


class StillRunning(Exception):
    """A group that is to be forgotten has a member. Retriable once its service is stopped."""


def committed(kafka: KafkaAccess, group: str, places: Iterable[Place]) -> dict[Place, int]:
    """The commit of each place that has one. The asking consumer does not join the group.

    Not by the admin client: where the group's coordinator has just moved or started, its answer to that question ends
    the process inside of librdkafka.

    Raises:
        KafkaException: when no broker answers, or the coordinator does not yet.
    """
    wanted = [TopicPartition(*place) for place in places]
    if not wanted:
        return {}
    consumer = Consumer({**kafka.librdkafka(), "group.id": group, "enable.auto.commit": False,
                         "log_level": 0})
    try:
        found = consumer.committed(wanted, timeout=ANSWER_SECONDS)
    finally:
        consumer.close()
    return {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}


def forget(kafka: KafkaAccess, group: str) -> None:
    """Delete a group and what it has committed; waits until Kafka has forgotten its last member.

    Raises:
        StillRunning: when it has one still.
        KafkaException: when Kafka does not answer, or refuses.
    """
    admin = AdminClient({**kafka.librdkafka(), "log_level": 3})
    deadline = time.monotonic() + FORGET_SECONDS
    while True:
        try:
            admin.delete_consumer_groups([group], request_timeout=ANSWER_SECONDS)[group].result(ANSWER_SECONDS)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return
            if code != KafkaError.NON_EMPTY_GROUP:
                raise
            if time.monotonic() > deadline:
                raise StillRunning(f"group {group} still has a member; stop the service first") from error
            time.sleep(ASK_AGAIN_SECONDS)
        else:
            return
