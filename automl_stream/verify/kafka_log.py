"""Topics read to an end that was fixed beforehand, committed records only. Nothing is written, no group is joined."""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from automl_stream.verify.errors import KafkaUnavailable, MissingTopic
from automl_stream.verify.recording import Log, Record

Bounds = dict[int, tuple[int, int]]

_PATIENCE_SECONDS = 30.0
_ASK_SECONDS = 0.1
_LEADERLESS = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART,
               KafkaError._DESTROY_BROKER, KafkaError._UNKNOWN_PARTITION)  # noqa: SLF001 - librdkafka's own names
_BATCH = 10_000
_NO_GROUP = "automl-stream-verify"  # librdkafka asks for a name; nothing is ever committed under it


class KafkaLog:
    """A consumer that only looks; `answer_seconds`: how long a broker may take to answer."""

    def __init__(self, bootstrap_servers: str, answer_seconds: float = 10.0) -> None:
        self._servers = bootstrap_servers
        self._answer_seconds = answer_seconds
        self._consumer = Consumer({
            "bootstrap.servers": bootstrap_servers, "group.id": _NO_GROUP, "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65_536, "log_level": 2,
            "fetch.wait.max.ms": 20,  # every question waits behind the fetch at a log's end: 500 ms by default
        })

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def bounds(self, topic: str) -> Bounds:
        """First offset and end (exclusive) of every partition.

        Raises:
            KafkaUnavailable: when no broker answers.
            MissingTopic: when there is no such topic.
        """
        try:
            found = self._consumer.list_topics(topic, timeout=self._answer_seconds).topics[topic]
            if found.error is not None:
                raise MissingTopic(f"topic {topic} is not there ({found.error.str()}); `automl-stream up` creates the "
                                   "topics of a pipeline")
            return {partition: self._bounds(TopicPartition(topic, partition)) for partition in found.partitions}
        except KafkaException as error:
            raise self._unavailable(error) from error

    def read(self, wanted: Mapping[str, Bounds]) -> dict[str, Log]:
        """Every record of the topics within their bounds.

        Raises:
            KafkaUnavailable: when nothing arrives for half a minute.
        """
        records: dict[str, list[Record]] = {topic: [] for topic in wanted}
        pending = {(topic, partition): end for topic, bounds in wanted.items()
                   for partition, (first, end) in bounds.items() if first < end}
        self._consumer.assign([TopicPartition(topic, p, wanted[topic][p][0]) for topic, p in pending])
        heard = time.monotonic()
        while pending:
            for message in self._consumer.consume(_BATCH, timeout=0.5):
                heard = time.monotonic()
                self._take(message, pending, records)
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise KafkaUnavailable(f"Kafka at {self._servers} sent nothing for {_PATIENCE_SECONDS:.0f} s; "
                                       f"{len(pending)} partitions are unread; see to the broker and verify again")
        return {topic: Log(records=sorted(found, key=lambda r: (r.partition, r.offset)), bounds=wanted[topic])
                for topic, found in records.items()}

    def _bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """A broker that has just started knows its topics before it leads them: ask until it does."""
        deadline = time.monotonic() + self._answer_seconds
        while True:
            try:
                found = self._consumer.get_watermark_offsets(partition, timeout=self._answer_seconds)
                break
            except KafkaException as error:
                if error.args[0].code() not in _LEADERLESS or time.monotonic() > deadline:
                    raise
                time.sleep(_ASK_SECONDS)
        if found is None:
            raise KafkaUnavailable(f"Kafka at {self._servers} does not say where {partition.topic} ends; see to the "
                                   "broker and verify again")
        return found

    def _take(self, message: Message, pending: dict[tuple[str, int], int], records: dict[str, list[Record]]) -> None:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
            if error.fatal() or not error.retriable():
                raise self._unavailable(KafkaException(error))
            return
        place = (message.topic() or "", message.partition() or 0)
        end, offset = pending.get(place), message.offset() or 0
        if end is None:
            return
        if error is None and offset < end:
            records[place[0]].append(_record(message))
        if error is not None or offset >= end - 1:
            # Not unassigned one by one: librdkafka crashes when a consumer closes while such a removal is under way.
            del pending[place]

    def _unavailable(self, error: KafkaException) -> KafkaUnavailable:
        return KafkaUnavailable(f"Kafka at {self._servers} does not answer ({error.args[0].str()}); start it, or "
                                "correct KAFKA_BOOTSTRAP_SERVERS")


def _record(message: Message) -> Record:
    return Record(partition=message.partition() or 0, offset=message.offset() or 0, timestamp=message.timestamp()[1],
                  key=message.key(), value=message.value(), headers=_headers(message))


def _headers(message: Message) -> tuple[tuple[str, bytes], ...]:
    """A header may have no value at all: to a reader it is empty."""
    return tuple((name, value or b"") for name, value in message.headers() or ())  # type: ignore[misc]
