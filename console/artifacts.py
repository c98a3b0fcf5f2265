"""References from `model-artifacts`: read at the announced offset, and verified before anybody parses them."""

import hashlib
import threading
import time
from collections import OrderedDict

from confluent_kafka import Consumer, KafkaException, TopicPartition

from console.errors import Away
from drift.profile import ReferenceProfile
from kafka_access.access import NO_GROUP, KafkaAccess
from schemas.messages import Artifact
from schemas.topics import MODEL_ARTIFACTS, topic_name

ANSWER_SECONDS = 5.0
KEPT = 16


class Artifacts:
    """Reads reference profiles, and keeps those that were asked for last."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self._kafka = kafka
        self._kept: OrderedDict[str, ReferenceProfile] = OrderedDict()
        self._lock = threading.Lock()

    def reference(self, pipeline: str, artifact: Artifact) -> ReferenceProfile:
        """The profile in an artifact.

        Raises:
            Away: when Kafka does not give its bytes, or gives others than were announced.
        """
        with self._lock:
            if artifact.digest not in self._kept:
                data = self._read(TopicPartition(topic_name(pipeline, MODEL_ARTIFACTS), 0, artifact.offset), artifact)
                self._kept[artifact.digest] = ReferenceProfile.decode(data)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(artifact.digest)
            return self._kept[artifact.digest]

    def _read(self, place: TopicPartition, artifact: Artifact) -> bytes:
        consumer = Consumer({**self._kafka.librdkafka(), "group.id": f"{NO_GROUP}console", "enable.auto.commit": False,
                             "isolation.level": "read_committed", "fetch.wait.max.ms": 20, "log_level": 2})
        try:
            consumer.assign([place])
            data = _collect(consumer, artifact)
        except KafkaException as error:
            raise Away(f"the reference {artifact.digest[:12]} cannot be read from Kafka ({error.args[0].str()})"
                       ) from error
        finally:
            consumer.close()
        if hashlib.sha256(data).hexdigest() != artifact.digest:
            raise Away(f"the reference {artifact.digest[:12]} is no longer at offset {place.offset} of {place.topic}")
        return data


def _collect(consumer: Consumer, artifact: Artifact) -> bytes:
    """The chunks with the artifact's key, up to its size; fewer where they do not come in time."""
    data, prefix, deadline = b"", f"{artifact.digest}/".encode(), time.monotonic() + ANSWER_SECONDS
    while len(data) < artifact.size and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error() is not None:
            raise KafkaException(message.error())
        if (message.key() or b"").startswith(prefix):
            data += message.value() or b""
    return data
