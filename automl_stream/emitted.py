"""What the training log holds, told to PostgreSQL: labels that are read anew do not enter the log a second time."""

from collections.abc import Iterator

from automl_stream.topic_log import TopicLog
from schemas.codec import decode
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, topic_name
from stream_apps.label_join import LabelJoin
from stream_apps.label_states import StoredLabel
from stream_apps.storage import Storage

ROWS = 5_000


async def remember_emitted(pipeline: Pipeline, log: TopicLog, url: str) -> int:
    """Store the label of each row of `labelled` as one that is emitted, unless PostgreSQL knows a newer one; how many.
    The label service must be stopped.

    Raises:
        TopicLogError: when the log cannot be read.
        SchemaDiffers: as Storage.
    """
    storage = Storage(url, pipeline.name)
    join, told = LabelJoin(storage, pipeline.pipeline), 0
    for events in _batches(log, topic_name(pipeline.name, LABELLED)):
        await join.store([_label(event) for event in events])
        await join.mark_emitted(events)
        told += len(events)
    await join.note_silence()
    return told


def _batches(log: TopicLog, topic: str) -> Iterator[list[LabelledEvent]]:
    """Rows that somebody's label or silence made, the newest of each event in a batch."""
    first, end = log.bounds(topic)[0]
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
