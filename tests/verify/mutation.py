"""One thing changed in a recording."""

import msgspec

from automl_stream.topic_log import Log, Record
from automl_stream.verify.recording import Recording, Rows
from schemas.codec import decode, encode
from schemas.messages import Message
from schemas.topics import Topic


def with_records(recording: Recording, topic: Topic, records: list[Record]) -> Recording:
    """The topic holds other records; the bounds stay, as after a loss in the middle of a log."""
    log = Log(records=records, bounds=recording.log(topic).bounds)
    return msgspec.structs.replace(recording, logs=recording.logs | {topic.name: log})


def dropped(recording: Recording, topic: Topic, index: int) -> Recording:
    """Without one record."""
    records = recording.log(topic).records
    return with_records(recording, topic, [r for n, r in enumerate(records) if n != index])


def repeated(recording: Recording, topic: Topic, index: int, kind: type[Message], **changes: object) -> Recording:
    """One record a second time, at the end of its partition, with other fields."""
    log = recording.log(topic)
    changed = _changed(log.records[index], kind, changes)
    partition = changed.partition
    first, end = log.bounds[partition]
    records = [*log.records, msgspec.structs.replace(changed, offset=end)]
    longer = Log(records=sorted(records, key=lambda r: (r.partition, r.offset)),
                 bounds=log.bounds | {partition: (first, end + 1)})
    return msgspec.structs.replace(recording, logs=recording.logs | {topic.name: longer})


def altered(recording: Recording, topic: Topic, index: int, kind: type[Message], /, **changes: object) -> Recording:
    """One record with other fields."""
    records = list(recording.log(topic).records)
    records[index] = _changed(records[index], kind, changes)
    return with_records(recording, topic, records)


def with_rows(recording: Recording, rows: Rows) -> Recording:
    """Other rows in PostgreSQL."""
    return msgspec.structs.replace(recording, rows=rows)


def _changed(record: Record, kind: type[Message], changes: dict[str, object]) -> Record:
    message = msgspec.structs.replace(decode(record.value or b"", kind), **changes)
    return msgspec.structs.replace(record, value=encode(message))
