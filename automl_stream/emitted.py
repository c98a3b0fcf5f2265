"""What the training log holds, told to PostgreSQL: labels that are read anew do not enter the log a second time."""

import sys
from collections.abc import Iterator
from contextlib import aclosing

from automl_stream.topic_log import TopicLog
from schemas.codec import decode
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from schemas.topics import DAY_MS, LABELLED, LABELS, PREDICTIONS, topic_name
from stream_apps.label_join import LabelJoin
from stream_apps.label_states import StoredLabel
from stream_apps.storage import Storage

ROWS = 5_000


async def remember_emitted(pipeline: Pipeline, log: TopicLog, url: str) -> int:
    """Store labels of `labelled` as emitted, unless PostgreSQL knows newer ones; how many. Only those that are read
    anew: what Kafka no longer has of a person, PostgreSQL gets no more.

    Raises:
        TopicLogError: when the log cannot be read.
        SchemaDiffers: as Storage.
    """
    storage = Storage(url, pipeline.name)
    join, told = LabelJoin(storage, pipeline.pipeline), 0
    async with aclosing(storage):
        for events in _batches(log, topic_name(pipeline.name, LABELLED), _since(log, pipeline)):
            await join.store([_label(event) for event in events])
            await join.mark_emitted(events)
            told += len(events)
        await join.note_silence()
    return told


def _since(log: TopicLog, pipeline: Pipeline) -> int:
    """When the oldest label or prediction that Kafka has was written (epoch ms), less a day, as clocks differ: what the
    training log got earlier came of records that are gone."""
    oldest = sys.maxsize
    for topic in (topic_name(pipeline.name, LABELS), topic_name(pipeline.name, PREDICTIONS)):
        firsts = {partition: (first, first + 1) for partition, (first, end) in log.bounds(topic).items() if first < end}
        found = log.read({topic: firsts})[topic].records
        if len(found) < len(firsts):
            return 0  # a marker stands there: how old the first record is, is not known
        oldest = min([oldest, *(record.timestamp for record in found)])
    return oldest if oldest == sys.maxsize else oldest - DAY_MS


def _batches(log: TopicLog, topic: str, since: int) -> Iterator[list[LabelledEvent]]:
    """Rows since then that somebody's label or silence made, the newest of each event in a batch."""
    first, end = log.bounds(topic, since)[0]
    for begin in range(first, end, ROWS):
        newest: dict[tuple[str, str], LabelledEvent] = {}
        for record in log.read({topic: {0: (begin, min(begin + ROWS, end))}})[topic].records:
            event = decode(record.value or b"", LabelledEvent)
            known = newest.get((event.entity, event.event_id))
            if event.model is not None and (known is None or _rank(event) >= _rank(known)):
                newest[event.entity, event.event_id] = event
        if newest:
            yield list(newest.values())


def _rank(event: LabelledEvent) -> tuple[int, bool]:
    return event.revision, event.conflict


def _label(event: LabelledEvent) -> StoredLabel:
    _, partition, _ = event.source.rsplit("-", 2)
    return StoredLabel(
        entity=event.entity, event_id=event.event_id, ts=event.labelled_ts, label=event.label, revision=event.revision,
        labeller=event.labeller, partition=int(partition), block=None, block_size=None, conflict=event.conflict)
