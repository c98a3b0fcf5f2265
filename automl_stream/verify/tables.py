"""PostgreSQL holds what Kafka holds: the winning prediction of each source, every other message byte for byte."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from automl_stream.stored_prediction import StoredPrediction
from automl_stream.topic_log import Record
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Entry, Reading
from automl_stream.verify.recording import MessageRow, Recording
from schemas.messages import Prediction
from schemas.topics import PREDICTIONS, TOPICS, Topic, topic_name
from stream_apps.kept_days import record_day

PREDICTIONS_TABLE = "predictions table"
MESSAGES_TABLE = "messages table"
RECORDED = tuple(topic for topic in TOPICS if "record" in topic.consumers and topic is not PREDICTIONS)


def refused_records(recording: Recording, topic: Topic = PREDICTIONS) -> set[tuple[int, int]]:
    """(partition, offset) of the records of a topic that were refused with their own bytes."""
    name = topic_name(recording.pipeline.name, topic)
    refused = {(row.partition, row.position, row.value) for row in recording.rows.refused if row.topic == name}
    if not refused:
        return set()
    return {(r.partition, r.offset) for r in recording.log(topic).records
            if (r.partition, r.offset, r.value) in refused}


def check_predictions_table(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """One row a source: the prediction of the highest epoch, equal in every column."""
    stored: dict[str, list[StoredPrediction]] = {}
    for row in reading.recording.rows.predictions:
        if not reading.outside(row.source):
            stored.setdefault(row.source, []).append(row)
            seen.count += 1
    refused = refused_records(reading.recording)
    if refused:
        seen.notes.append(f"PostgreSQL refused {len(refused)} predictions; they are in the table `refused`")
    kept, gone = reading.recording.rows.kept, 0
    for source, entries in reading.predictions.items():
        rows = stored.pop(source, [])
        if source in kept.erased_sources or entries[0].message.source_day < kept.predictions:
            gone += 1
            continue
        wanted = [e for e in entries if (e.record.partition, e.record.offset) not in refused]
        yield from _compare(source, wanted, rows)
    if gone:
        seen.notes.append(f"{gone} predictions are of days that retention has passed, or of a person who was erased")
    for source, rows in stored.items():
        yield _difference(source, "no row: there is no prediction", shown(rows[0]))


def _compare(source: str, entries: list[Entry[Prediction]], rows: list[StoredPrediction]) -> Iterator[Difference]:
    top = max((entry.message.model.epoch for entry in entries), default=-1)
    wanted = [_row(entry.message) for entry in entries if entry.message.model.epoch == top]
    if len(rows) != min(1, len(wanted)):
        yield _difference(source, f"{min(1, len(wanted))} row", f"{len(rows)} rows")
    for row in rows:
        if wanted and row not in wanted:
            yield _difference(source, _apart(wanted[0], row), _apart(row, wanted[0]))


def _row(prediction: Prediction) -> StoredPrediction:
    fields: dict[str, Any] = msgspec.structs.asdict(prediction)
    model, _ = fields.pop("model"), fields.pop("v")
    _, partition, position = prediction.source.rsplit("-", 2)
    fields["prediction"] = str(prediction.prediction)
    fields["answered_epoch"] = None if prediction.answered_epoch is UNSET else prediction.answered_epoch
    return StoredPrediction(**fields, partition=int(partition), position=int(position), model_version=model.version,
                         model_digest=model.digest, model_epoch=model.epoch)


def check_messages_table(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Every record of the recorded topics, byte for byte, and no other."""
    stored = {(row.topic, row.partition, row.position): row for row in reading.recording.rows.messages}
    for topic in RECORDED:
        log, name = reading.recording.log(topic), topic_name(reading.recording.pipeline.name, topic)
        for record in log.records:
            seen.count += 1
            if not topic.audited and gone(reading.recording, name, record):
                stored.pop((name, record.partition, record.offset), None)
                continue
            wanted = MessageRow(topic=name, partition=record.partition, position=record.offset,
                                record_ts=record.timestamp, key=record.key, value=record.value)
            found = stored.pop((name, record.partition, record.offset), None)
            if found is None or found != wanted:
                yield Difference(check=MESSAGES_TABLE, where=f"{name} {record.partition}/{record.offset}",
                                 expected=_apart(wanted, found), found=_apart(found, wanted) if found else "no row")
        for key in [key for key in stored if key[0] == name and log.judges(*key[1:])]:
            yield Difference(check=MESSAGES_TABLE, where=f"{name} {key[1]}/{key[2]}",
                             expected="no row: there is no such record", found=shown(stored[key]))


def gone(recording: Recording, topic: str, record: Record) -> bool:
    """Whether a row of `messages` or `refused` need not be there: retention has passed its day, or it was erased."""
    kept, place = recording.rows.kept, (topic, record.partition, record.offset)
    return place in kept.erased_places or record_day(record.timestamp) < kept.messages


def _apart(row: Struct, other: Struct | None) -> str:
    """The columns of a row that are not those of another."""
    columns = msgspec.structs.asdict(row)
    return shown({name: value for name, value in columns.items() if other is None or value != getattr(other, name)})


def _difference(source: str, expected: str, found: str) -> Difference:
    return Difference(check=PREDICTIONS_TABLE, where=source, expected=expected, found=found)
