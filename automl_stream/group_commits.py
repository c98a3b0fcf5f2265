"""What a consumer group has committed."""

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from kafka_access.access import KafkaAccess

Place = tuple[str, int]  # topic and partition
ANSWER_SECONDS = 10.0


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
