"""One record of the command line's into a topic of one partition: there, or not known to be."""

from confluent_kafka import Producer

from kafka_access.access import KafkaAccess
from schemas.topics import MAX_RECORD_BYTES

_CONFIRM_SECONDS = 30.0


class Unconfirmed(Exception):
    """Kafka has not confirmed the record; the message says why. Retriable."""


def write_record(kafka: KafkaAccess, topic: str, key: str, value: bytes) -> int:
    """Offset of the record, once every replica has it.

    Raises:
        KafkaException: when it is not even taken.
        Unconfirmed: as the class says.
    """
    offsets, failed = list[int](), list[str]()
    producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "log_level": 2,
                         "message.max.bytes": MAX_RECORD_BYTES, "message.timeout.ms": round(_CONFIRM_SECONDS * 1_000)})
    producer.produce(topic, value, key, partition=0, on_delivery=lambda error, message: (
        failed.append(error.str()) if error else offsets.append(message.offset() or 0)))
    producer.flush(_CONFIRM_SECONDS + 1)
    if failed or not offsets:
        raise Unconfirmed(", ".join(failed) or "no answer")
    return offsets[0]
