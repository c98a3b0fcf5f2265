"""What is sent to Kafka and what of it the broker has confirmed."""

from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kafka_access.access import KafkaAccess
from producers.errors import DeliveryFailed
from schemas.topics import MAX_EVENT_BYTES

_GUARANTEES: dict[str, str | int | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",  # one partitioner everywhere: an entity keeps its partition whoever writes
}
_TUNING: dict[str, str | int | bool] = {
    "linger.ms": 10,
    "batch.size": 256 << 10,
    "message.max.bytes": MAX_EVENT_BYTES,
    "queue.buffering.max.messages": 20_000,
    "delivery.timeout.ms": 60_000,
    "topic.metadata.refresh.interval.ms": 10_000,  # how soon partitions that a topic was given are written to
    "log_level": 2,  # what goes wrong is raised, in one sentence
}
_PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - librdkafka's names of its own errors
_REPORTED = 5

Headers = list[tuple[str, str | bytes | None]]


def producer_settings(kafka: Mapping[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
    """Settings of every producer: tuning, then what the caller knows of the cluster, then the guarantees."""
    return {**_TUNING, **kafka, **_GUARANTEES}


@dataclass(kw_only=True)
class Tally:
    """Records of one kind: handed to the producer, and confirmed by the broker."""

    topic: str
    sent: int = 0
    confirmed: int = 0


class Outbox:
    """An idempotent producer that counts; the first failed delivery stops it."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._producer = Producer(producer_settings(kafka.librdkafka()))
        self._servers = kafka.servers
        self._failures: list[str] = []

    def partitions(self, topic: str) -> int:
        """Number of partitions of a topic.

        Raises:
            DeliveryFailed: when no broker answers or there is no such topic.
        """
        try:
            found = self._producer.list_topics(topic, timeout=10).topics[topic]
        except KafkaException as error:
            raise DeliveryFailed(f"no Kafka broker answers at {self._servers} ({error.args[0].str()}); "
                                 "start one, or correct KAFKA_BOOTSTRAP_SERVERS") from error
        if found.error is not None:
            raise DeliveryFailed(f"topic '{topic}' cannot be written at {self._servers} ({found.error.str()}); "
                                 "create the pipeline's topics first")
        return len(found.partitions)

    def send(self, tally: Tally, key: bytes | None, value: bytes, headers: Headers, partition: int = -1) -> None:
        """Hand a record over; waits while the queue is full.

        Raises:
            DeliveryFailed: when an earlier record failed, or this one is refused.
        """
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                tally.confirmed += 1
            elif error.code() not in _PURGED:
                self._failures.append(f"{_named(message.key(), message.value())}: {error.str()}")

        while True:
            try:
                self._producer.produce(tally.topic, value, key, partition, delivered, headers=headers)
                break
            except BufferError:
                self.serve(0.1)
            except KafkaException as error:
                self._failures.append(f"{_named(key, value)}: {error.args[0].str()}")
                self._stop()
        tally.sent += 1
        self.serve(0)

    def serve(self, seconds: float) -> None:
        """Take in confirmations for at most so long."""
        self._producer.poll(seconds)
        if self._failures:
            self._stop()

    def flush(self) -> None:
        """Wait until everything is confirmed.

        Raises:
            DeliveryFailed: when something is not.
        """
        while self._producer.flush(1.0) and not self._failures:
            pass
        if self._failures:
            self._stop()

    def _stop(self) -> None:
        """What is still queued is given up, so that the counts are final and a resume begins there."""
        self._producer.purge()
        self._producer.flush(5.0)
        more = f" and {len(self._failures) - _REPORTED} more" if len(self._failures) > _REPORTED else ""
        raise DeliveryFailed(f"the broker at {self._servers} did not confirm {'; '.join(self._failures[:_REPORTED])}"
                             f"{more}; see to the broker, then go on with --resume")


def _named(key: bytes | None, value: bytes | None) -> str:
    return f"key {(key or b'').decode(errors='replace')!r} ({(value or b'')[:80].decode(errors='replace')}…)"
