"""The newest offsets of partitions, as their leaders say."""

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from kafka_access.access import NO_GROUP, KafkaAccess


class NewestOffsets:
    """Asks on a connection of its own; one thread at a time.

    A consumer: the admin client's list of offsets was seen to end the process where a broker did not answer in time
    (librdkafka's `rd_kafka_admin_response_parse: Assertion rko_result`), and so was its list of a group's offsets.
    """

    def __init__(self, kafka: KafkaAccess) -> None:
        self._consumer = Consumer({**kafka.librdkafka(), "group.id": f"{NO_GROUP}newest", "enable.auto.commit": False,
                                   "log_level": 0})

    def topics(self, seconds: float) -> dict[str, list[int]]:
        """Every topic's partitions.

        Raises:
            KafkaException: when nobody answers in time.
        """
        found = self._consumer.list_topics(timeout=seconds).topics
        return {name: list(topic.partitions) for name, topic in found.items()}

    def ends(self, places: Iterable[tuple[str, int]], seconds: float) -> dict[tuple[str, int], int]:
        """End of each (topic, partition).

        Raises:
            KafkaException: when not all are known in time.
        """
        deadline, found = time.monotonic() + seconds, dict[tuple[str, int], int]()
        for place in places:
            left = max(0.1, deadline - time.monotonic())
            bounds = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=left)
            if bounds is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's own name
            found[place] = bounds[1]
        return found
