"""Topics read record by record, from an offset or a time to an end that was fixed beforehand; only committed ones."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from automl_stream.dead_letters.errors import KafkaUnavailable, MissingTopic

Bounds = dict[int, tuple[int, int]]

_PATIENCE_SECONDS = 30.0
_BATCH = 1_000
_NO_GROUP = "automl-stream-dead-letters"  # librdkafka asks for a name; nothing is ever committed under it


class TopicLog(AbstractContextManager["TopicLog"]):
    """A consumer that only looks; `answer_seconds`: how long a broker may take to answer."""

    def __init__(self, bootstrap_servers: str, answer_seconds: float = 10.0) -> None:
        self._servers = bootstrap_servers
        self._answer_seconds = answer_seconds
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap_servers, "group.id": _NO_GROUP, "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536, "fetch.wait.max.ms": 50, "log_level": 2,
        })

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def bounds(self, topic: str, since: int | None = None) -> Bounds:
        """First offset, or first one not older than `since` (epoch ms), and end (exclusive) of every partition.

        Raises:
            KafkaUnavailable: when no broker answers.
            MissingTopic: when there is no such topic.
        """
        patience = self._answer_seconds
        try:
            found = self._consumer.list_topics(topic, timeout=patience).topics[topic]
            if found.error is not None:
                raise MissingTopic(f"topic {topic} is not there ({found.error.str()}); `automl-stream up` creates the "
                                   "topics of a pipeline")
            bounds: Bounds = {}
            for partition in found.partitions:
                ends = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=patience)
                if ends is None:
                    raise self._unavailable(f"does not say where {topic} ends")
                bounds[partition] = ends
            return bounds if since is None else self._since(topic, bounds, max(0, since))
        except KafkaException as error:
            raise self._unavailable(f"does not answer ({error.args[0].str()})") from error

    def read(self, topic: str, bounds: Bounds) -> Iterator[Message]:
        """The records within `bounds`; in order within a partition. One reading at a time.

        Raises:
            KafkaUnavailable: when nothing arrives for half a minute.
        """
        pending = {partition: end for partition, (first, end) in bounds.items() if first < end}
        self._consumer.assign([TopicPartition(topic, partition, bounds[partition][0]) for partition in pending])
        heard = time.monotonic()
        while pending:
            for message in self._consumer.consume(_BATCH, timeout=0.5):
                heard = time.monotonic()
                error = message.error()
                partition, offset = message.partition() or 0, message.offset() or 0
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its own name
                    if error.fatal() or not error.retriable():
                        raise self._unavailable(f"cannot be read ({error.str()})")
                    continue
                if partition not in pending:
                    continue
                if error is None and offset < pending[partition]:
                    yield message
                if error is not None or offset >= pending[partition] - 1:
                    del pending[partition]
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise self._unavailable(f"sent nothing for {_PATIENCE_SECONDS:.0f} s")

    def _since(self, topic: str, bounds: Bounds, since: int) -> Bounds:
        asked = [TopicPartition(topic, partition, since) for partition in bounds]
        found = self._consumer.offsets_for_times(asked, timeout=self._answer_seconds)
        return {p.partition: (bounds[p.partition][1] if p.offset == OFFSET_END else p.offset, bounds[p.partition][1])
                for p in found}

    def _unavailable(self, what: str) -> KafkaUnavailable:
        return KafkaUnavailable(f"Kafka at {self._servers} {what}; see to the broker, or correct "
                                "KAFKA_BOOTSTRAP_SERVERS")
