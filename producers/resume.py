"""Which rows of an unfinished replay the topics hold already, read from the topics themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from kafka_access.access import NO_GROUP, KafkaAccess
from producers.errors import DeliveryFailed, NothingToResume
from schemas.codec import WATERMARK_HEADER, EventFormat, decode
from schemas.messages import Watermark
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, LABELS, topic_name

RUN_HEADER = "run"
_TIMEOUT = 30.0
_FIRST_LOOK_BACK = 64


class _Id(msgspec.Struct):
    event_id: str


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A replay's run and the numbers of the rows whose event and label are in Kafka."""

    run: str
    events: frozenset[int] = field(default_factory=frozenset)
    labels: frozenset[int] = field(default_factory=frozenset)


def run_name(source: str, started_ms: int) -> str:
    """Name of a replay, carried by each of its records: what is replayed, and since when (epoch ms)."""
    return f"{source}-{started_ms}"


def unfinished(kafka: KafkaAccess, pipeline: Pipeline, source: str,
               codec: EventFormat | None = None) -> Confirmed:
    """What the pipeline's newest replay has delivered, if it was of `source` and did not come to its end. `codec` reads
    events that are not JSON.

    Not only the last row counts: rows on their way to different partitions are confirmed in any order.

    Raises:
        NothingToResume: when there is no such replay.
        DeliveryFailed: when the topics cannot be read.
    """
    consumer = Consumer({
        **kafka.librdkafka(), "group.id": f"{NO_GROUP}resume", "enable.auto.commit": False,
        "enable.partition.eof": True, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10, "log_level": 2})
    try:
        run = _newest_run(consumer, topic_name(pipeline.name, EVENTS))
        if run.rpartition("-")[0] != source:
            found = f"the newest one there is '{run}'" if run else "there is none"
            raise NothingToResume(f"no replay of this source can be resumed into pipeline '{pipeline.name}': {found}; "
                                  "leave out --resume")
        events, ended = _rows(consumer, topic_name(pipeline.name, EVENTS), run, codec)
        if ended:
            raise NothingToResume(f"the newest replay of this source into pipeline '{pipeline.name}' came to its end; "
                                  "leave out --resume to send it again")
        return Confirmed(run=run, events=events, labels=_rows(consumer, topic_name(pipeline.name, LABELS), run)[0])
    except KafkaException as error:
        raise DeliveryFailed(f"the topics of pipeline '{pipeline.name}' cannot be read ({error.args[0].str()}); "
                             "see to the broker") from error
    finally:
        consumer.close()


def _newest_run(consumer: Consumer, topic: str) -> str:
    """Look back from the end of every partition, twice as far each time, until a replay's record is found."""
    runs: list[str] = []
    for partition in _partitions(consumer, topic):
        low, high = consumer.get_watermark_offsets(partition, timeout=_TIMEOUT)
        back, newest = _FIRST_LOOK_BACK, ""
        while not newest and low < high:
            start = max(low, high - back)
            found = _records(consumer, [TopicPartition(topic, partition.partition, start)])
            newest = max((_header(record, RUN_HEADER) for record in found), key=_started, default="")
            if start == low:
                break
            back *= 2
        runs.append(newest)
    return max(runs, key=_started, default="")


def _rows(consumer: Consumer, topic: str, run: str, codec: EventFormat | None = None) -> tuple[frozenset[int], bool]:
    """Row numbers of a run, and whether its end is written to every partition."""
    partitions = _partitions(consumer, topic)
    since = [TopicPartition(p.topic, p.partition, _started(run)) for p in partitions]
    starts = [p for p in consumer.offsets_for_times(since, timeout=_TIMEOUT) if p.offset != OFFSET_END]
    rows: set[int] = set()
    ended: set[int | None] = set()
    for record in _records(consumer, starts):
        value = record.value() or b""
        if _header(record, RUN_HEADER) != run:
            continue
        if _header(record, WATERMARK_HEADER[0]) == WATERMARK_HEADER[1].decode():
            ended |= {record.partition()} if decode(value, Watermark).ends else set()
        else:
            # A row that does not fit is JSON in any encoding.
            known = decode(value, _Id) if codec is None or value.startswith(b"{") else codec.decode(value)
            rows.add(int(known.event_id))
    return frozenset(rows), len(ended) == len(partitions)


def _records(consumer: Consumer, starts: list[TopicPartition]) -> Iterator[Message]:
    """Records from the given offsets to the end of each partition."""
    consumer.assign(starts)
    open_partitions = len(starts)
    while open_partitions:
        message = consumer.poll(_TIMEOUT)
        if message is None:
            raise DeliveryFailed(f"topic '{starts[0].topic}' gave nothing for {_TIMEOUT:.0f} s; see to the broker")
        error = message.error()
        if error is None:
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name of the event
            open_partitions -= 1
        else:
            raise KafkaException(error)


def _partitions(consumer: Consumer, topic: str) -> list[TopicPartition]:
    found = consumer.list_topics(topic, timeout=_TIMEOUT).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return [TopicPartition(topic, number) for number in sorted(found.partitions)]


def _header(record: Message, name: str) -> str:
    found = next((value for key, value in record.headers() or [] if key == name), None) or b""
    return found if isinstance(found, str) else found.decode(errors="replace")


def _started(run: str) -> int:
    return int(run.rpartition("-")[2] or 0)
