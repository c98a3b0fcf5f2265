"""A prediction speaks of the event at its source and of nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import UNSET

from automl_stream.verify.deliveries import Delivery, Row
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Entry, Reading
from schemas.codec import answered_epoch
from schemas.messages import Prediction

IDENTITY = "identity"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_identity(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Event id, entity, ts, features, day, key, partition and the epoch that was answered are the event's."""
    elsewhere, digest = 0, reading.recording.pipeline.digest
    for source, entries in reading.predictions.items():
        delivery = reading.deliveries.get(source)
        if delivery is None:
            continue  # invariant M speaks of it
        for entry in entries:
            seen.count += 1
            elsewhere += entry.message.pipeline_digest != digest
            yield from _compare(delivery, entry)
    if elsewhere:
        seen.notes.append(f"{elsewhere} predictions were made under another version of the pipeline file")
    seen.notes.extend(_answers(reading))


def _answers(reading: Reading) -> Iterator[str]:
    """What was answered before it was recorded: by then another model may have been in charge."""
    known = set(reading.models.epochs())
    answered = [(entry.message.answered_epoch, entry.message.model.epoch) for entries in reading.predictions.values()
                for entry in entries if entry.message.answered_epoch is not UNSET]
    if others := sum(answer != recorded for answer, recorded in answered):
        yield f"{others} of {len(answered)} answers were given by another model than the one on record"
    if unknown := sum(answer not in known for answer, _ in answered):
        yield f"{unknown} events name an answer by an epoch that was never accepted: whoever wrote them made it up"


def _compare(delivery: Delivery, entry: Entry[Prediction]) -> Iterator[Difference]:
    if not isinstance(delivery.content, Row):
        why = delivery.content if isinstance(delivery.content, str) else "it is a watermark"
        yield Difference(check=IDENTITY, where=delivery.source, expected=f"no prediction: {why}", found="a prediction")
        return
    row, record, prediction = delivery.content, delivery.record, entry.message
    pairs = {
        "event_id": (row.event_id, prediction.event_id), "entity": (row.entity, prediction.entity),
        "ts": (row.ts, prediction.ts), "features": (list(row.features), prediction.features),
        "source_day": (_day(record.timestamp), prediction.source_day),
        "key": (record.key, entry.record.key), "partition": (record.partition, entry.record.partition),
        "answered_epoch": (answered_epoch(record.headers), prediction.answered_epoch),
    }
    for name, (expected, found) in pairs.items():
        if expected != found:
            yield Difference(check=IDENTITY, where=delivery.source, expected=f"{name} {shown(expected)}",
                             found=shown(found))


def _day(record_ts: int) -> str:
    try:
        return (_EPOCH + timedelta(milliseconds=record_ts)).date().isoformat()
    except OverflowError:
        return "none: the record's time is outside the years 1 to 9999"
