"""One row of JSON bytes as a record for Kafka, checked as the service that takes it will. Pure: the clock comes in."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
from msgspec import Struct

from producers.api.batch import BadRow
from producers.rows import BOOLEANS
from schemas.codec import EventCodec, EventFormat, canonical_label, decode, encode, epoch_ms
from schemas.messages import FeatureValue, Label
from schemas.pipeline import Feature, Pipeline, Task

LONGEST_ID = 500  # characters; what PostgreSQL can index ends at some 2,700 bytes
LAST_REVISION = 2**31 - 1

Clock = Callable[[], int]
"""Epoch milliseconds."""


class Record(Struct, frozen=True):
    """What goes to Kafka. `identity`: (entity, event id); `content`: the same for rows that say the same."""

    identity: tuple[str, str]
    content: int
    key: bytes
    value: bytes


class EventReader:
    """Reads events of one pipeline; clients write JSON or CSV, whatever the topic's codec is. `asks`: reading may ask a
    schema registry, and wait."""

    def __init__(self, pipeline: Pipeline, codec: EventFormat, clock: Clock) -> None:
        self._json = EventCodec(pipeline)
        self._codec = codec
        self.asks = not isinstance(codec, EventCodec)
        self._clock = clock
        self._max_future = int(pipeline.windows.max_future)
        self._names = [feature.name for feature in pipeline.features]
        own = ("event_id", "ts", "entity")
        self._features = {f"features.{f.name}" if f.name in own else f.name: f for f in pipeline.features}
        self.columns: Sequence[str] = (*own, *self._features)
        self.needed: Sequence[str] = ("event_id", "ts", *(name for name, f in self._features.items() if not f.optional))

    def read(self, data: bytes, caller: str) -> Record:
        """The record of an event. A JSON pipeline's event goes on as it came, byte by byte.

        Raises:
            BadRow: when it would end as a dead letter, or its ids cannot be stored.
            RegistryAway: when the schema registry of an Avro pipeline does not answer.
        """
        del caller  # it stands in the record's header
        event = _decoded(self._json.decode, data)
        ts = _time(event.ts)
        if ts - self._clock() > self._max_future:
            raise BadRow(f"the time is more than {self._max_future} ms ahead", "$.ts", "see to the sender's clock")
        _check_ids(event)
        values = self._json.values(event.features)
        if self.asks:
            data = self._codec.encode(event.event_id, ts, event.entity, dict(zip(self._names, values, strict=True)))
        return Record((event.entity, event.event_id), hash((ts, values)), _key(event), data)

    def from_text(self, row: Mapping[str, str]) -> bytes:
        """JSON of a row of CSV; empty is null."""
        features = {f.name: _value(f, row[column]) for column, f in self._features.items() if column in row}
        return self._json.encode(row["event_id"], _whole(row["ts"]), row.get("entity", ""), features)


class LabelReader:
    """Reads labels of one pipeline. A label that names no labeller is the caller's."""

    columns: Sequence[str] = ("event_id", "entity", "ts", "label", "revision", "labeller")
    needed: Sequence[str] = ("event_id", "ts", "label")
    asks = False

    def __init__(self, pipeline: Pipeline) -> None:
        self._task: Task = pipeline.task

    def read(self, data: bytes, caller: str) -> Record:
        """The record of a label.

        Raises:
            BadRow: when it could not be joined or stored.
        """
        label = _decoded(lambda text: decode(text, Label), data)
        _time(label.ts)
        _check_ids(label)
        if label.revision > LAST_REVISION:
            raise BadRow(f"the revision is over {LAST_REVISION}", "$.revision", "count revisions from 0")
        if "\0" in label.labeller or "\0" in str(label.label):
            raise BadRow("a NUL character cannot be stored", "$.label or $.labeller", "leave it out")
        try:
            canonical_label(self._task, label.label)
        except ValueError as error:
            raise BadRow(str(error), "$.label", f"send a label of a {self._task} pipeline") from error
        label = msgspec.structs.replace(label, labeller=label.labeller or caller)
        return Record((label.entity, label.event_id), hash(label), _key(label), encode(label))

    @staticmethod
    def from_text(row: Mapping[str, str]) -> bytes:
        """JSON of a row of CSV; what is empty is left out."""
        texts: dict[str, Any] = {"entity": ""} | {name: text for name, text in row.items() if text}
        return msgspec.json.encode(texts | {name: _whole(texts[name]) for name in ("ts", "revision") if name in texts})


def _decoded(read: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return read(data)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        raise BadRow(what, where.strip("`") or "$", "send what the pipeline declares: see /docs") from error
    except msgspec.DecodeError as error:
        raise BadRow(str(error), "$", "send one JSON object in UTF-8", status=400) from error


def _time(ts: Any) -> int:
    try:
        return epoch_ms(ts)
    except OverflowError as error:
        raise BadRow(str(error), "$.ts", "send epoch milliseconds or RFC 3339") from error


def _check_ids(row: Any) -> None:
    if not row.event_id:
        raise BadRow("the event has no id", "$.event_id", "give every event an id of its own: retries are known by it")
    for name, text in (("$.event_id", row.event_id), ("$.entity", row.entity)):
        if "\0" in text or len(text) > LONGEST_ID:
            raise BadRow(f"a NUL character, or more than {LONGEST_ID} characters", name, "send a plain, shorter id")


def _key(row: Any) -> bytes:
    """What decides the partition: the entity, or the event where there is none."""
    return (row.entity or row.event_id).encode()


def _value(feature: Feature, text: str) -> FeatureValue:
    """What a text of a file means; a text that does not fit stays one, and is found when the row is read."""
    if feature.type == "category":
        return text or None
    text = text.strip()
    if feature.type == "boolean":
        return BOOLEANS.get(text.lower(), text or None)
    try:
        number = float(text)
    except ValueError:
        return text or None
    return number if isfinite(number) else None


def _whole(text: str) -> int | str:
    return int(text) if text.strip().lstrip("-").isdecimal() else text
