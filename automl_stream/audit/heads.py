"""What Kafka knows of the audit: where its chains stood, and the records that were audited."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from automl_stream.topic_log import Bounds, Record, TopicLog
from schemas.codec import decode
from schemas.messages import AuditHead
from schemas.topics import AUDIT_HEADS, TOPICS, topic_name

AUDITED = tuple(topic for topic in TOPICS if topic.audited)
Place = tuple[str, int]  # topic and partition


class Head(Struct, frozen=True):
    """A head, and its offset in the topic of heads."""

    offset: int
    chain: str


class Known(Struct, frozen=True, kw_only=True):
    """Of one topic's partition: heads by position, its records by offset, and which offsets it holds."""

    heads: dict[int, list[Head]]
    records: dict[int, Record]
    first: int
    end: int


def read_known(pipeline: str, log: TopicLog) -> dict[Place, Known]:
    """Of every audited topic's partition.

    Raises:
        TopicLogError: when Kafka does not answer, or a topic is missing.
    """
    heads = _heads(pipeline, log)
    names = [topic_name(pipeline, topic) for topic in AUDITED]
    bounds: dict[str, Bounds] = {name: log.bounds(name) for name in names}
    logs = log.read(bounds)
    found: dict[Place, Known] = {}
    for name in names:
        for partition, (first, end) in bounds[name].items():
            found[name, partition] = Known(
                heads=heads.pop((name, partition), {}), first=first, end=end,
                records={r.offset: r for r in logs[name].records if r.partition == partition})
    for place, orphaned in heads.items():  # of a topic that is audited no longer
        found[place] = Known(heads=orphaned, records={}, first=0, end=0)
    return found


def _heads(pipeline: str, log: TopicLog) -> dict[Place, dict[int, list[Head]]]:
    name = topic_name(pipeline, AUDIT_HEADS)
    found: dict[Place, dict[int, list[Head]]] = defaultdict(lambda: defaultdict(list))
    for record, head in _decoded(log.read({name: log.bounds(name)})[name].records):
        found[head.topic, head.partition][head.position].append(Head(record.offset, head.chain))
    return found


def _decoded(records: Sequence[Record]) -> Iterator[tuple[Record, AuditHead]]:
    for record in records:
        yield record, decode(record.value or b"", AuditHead)
