"""Events in Avro, in the framing of Confluent's schema registry. Pure: the registry is handed in.

Bytes: 0, the id of the writer's schema (4 bytes, big-endian), the Avro record. The record `Event` is derived from the
pipeline: number double, category string, boolean boolean; an optional feature is a union with null and has its default.
"""

import json
import re
import struct
from functools import cached_property, lru_cache
from hashlib import sha256
from io import BytesIO
from sys import float_info
from typing import Annotated, Any, Protocol

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType
from msgspec import DecodeError, Meta, MsgspecError, ValidationError

from schemas.codec import EventCodec, epoch_ms, event_type
from schemas.messages import FeatureValue
from schemas.pipeline import Feature, Pipeline

FRAME = struct.Struct(">bi")
KNOWN_SCHEMAS = 1_000

_AVRO_TYPES = {"number": "double", "category": "string", "boolean": "boolean"}
_Finite = Annotated[float, Meta(ge=-float_info.max, le=float_info.max)]
# What fastavro meets in bytes that are no record of the schema; it has no error of its own for them.
_BROKEN = (EOFError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError, struct.error)


class SchemaRegistry(Protocol):
    """Where schemas are found and made known. Errors of its own (it does not answer) pass through the codec."""

    def writer(self, schema_id: int) -> str | None:
        """Text of an Avro schema; None when the registry says that there is none of this id."""
        ...

    def register(self, schema: str) -> int:
        """Id under which records of `schema` are written."""
        ...


class AvroEventCodec:
    """Decoder and encoder of one pipeline's events; the sibling of `EventCodec`, whose methods it has."""

    def __init__(self, pipeline: Pipeline, registry: SchemaRegistry) -> None:
        self._names = [avro_name(feature.name) for feature in pipeline.features]
        self._text = event_schema(pipeline)
        self._schema = parse_schema(json.loads(self._text))
        self._plain = parse_schema(_with_plain_time(json.loads(self._text)))
        self._type = event_type(pipeline, self._names, _Finite)
        self._registry = registry
        self._schemas = lru_cache(KNOWN_SCHEMAS)(self._load)
        self._json = EventCodec(pipeline)
        self.values = msgspec.structs.astuple

    def decode(self, data: bytes) -> Any:
        """Event of Avro bytes: event_id, ts, entity, features, v. Its writer's schema may be another one that resolves.

        Raises:
            msgspec.DecodeError: when the bytes are none, or the registry does not know their schema; its kind
                ValidationError when schema or values do not fit.
        """
        if len(data) < FRAME.size or data[0]:
            raise DecodeError("the bytes do not begin with 0 and a schema id of 4 bytes; they are not written in Avro "
                              "by a serializer of the schema registry")
        schema_id: int = FRAME.unpack_from(data)[1]
        writer, reader = self._schemas(schema_id)
        body = BytesIO(data)
        body.seek(FRAME.size)
        try:
            record = schemaless_reader(body, writer, reader)
        except SchemaResolutionError as error:
            raise ValidationError(f"schema {schema_id} does not fit the pipeline: {error}") from error
        except _BROKEN as error:
            raise DecodeError(f"no record of schema {schema_id}: {type(error).__name__} {error}") from error
        if body.tell() < len(data):
            raise DecodeError(f"{len(data) - body.tell()} bytes follow the record of schema {schema_id}")
        return msgspec.convert(record, self._type)

    def encode(self, event_id: str, ts: int | str | None, entity: str, features: dict[str, FeatureValue]) -> bytes:
        """Avro bytes of an event; `features` may leave out optional ones. A row that does not fit has no form in Avro:
        it is sent as JSON and ends as a dead letter that shows what it held."""
        plain = self._json.encode(event_id, ts, entity, features)
        try:
            event = self._json.decode(plain)
            time = epoch_ms(event.ts)
        except (MsgspecError, OverflowError):
            return plain
        record = {"v": event.v, "event_id": event.event_id, "ts": time, "entity": event.entity,
                  "features": dict(zip(self._names, self.values(event.features), strict=True))}
        out = BytesIO()
        out.write(FRAME.pack(0, self._schema_id))
        schemaless_writer(out, self._schema, record)
        return out.getvalue()

    @cached_property
    def _schema_id(self) -> int:
        return self._registry.register(self._text)

    def _load(self, schema_id: int) -> tuple[Any, Any]:
        """Writer's and reader's schema; no reader's where they are the same, which is twice as fast."""
        # Ids are positive; some registries answer for others as if they were broken.
        text = self._registry.writer(schema_id) if schema_id > 0 else None
        if text is None:
            raise DecodeError(f"the schema registry knows no schema {schema_id}")
        try:
            writer = parse_schema(_with_plain_time(json.loads(text)))
        except (SchemaParseException, UnknownType, ValueError, LookupError, TypeError) as error:
            raise ValidationError(f"schema {schema_id} cannot be used: {error}") from error
        return writer, None if writer == self._plain else self._schema


def event_schema(pipeline: Pipeline) -> str:
    """Avro schema of a pipeline's events, as JSON text."""
    features = {"type": "record", "name": "Features", "fields": [_field(f) for f in pipeline.features]}
    return json.dumps({"type": "record", "name": "Event", "namespace": pipeline.name, "fields": [
        {"name": "v", "type": "int", "default": 1},
        {"name": "event_id", "type": "string"},
        {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "entity", "type": "string", "default": ""},
        {"name": "features", "type": features},
    ]})


def avro_name(name: str) -> str:
    """What a feature is called in Avro. A name that Avro does not allow has other characters than letters, digits and _
    replaced by _, and six digits of its SHA-256 behind it, so that no two become one."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    return f"_{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{sha256(name.encode()).hexdigest()[:6]}"


def _field(feature: Feature) -> dict[str, Any]:
    name, kind = avro_name(feature.name), _AVRO_TYPES[feature.type]
    field: dict[str, Any] = {"name": name, "type": kind}
    if feature.optional:  # Avro wants the default's type first
        union = ["null", kind] if feature.default is None else [kind, "null"]
        field |= {"type": union, "default": feature.default}
    return field if name == feature.name else field | {"feature": feature.name}


def _with_plain_time(schema: Any) -> Any:
    """Fastavro makes a datetime of `ts`; the milliseconds as they are written are what is wanted."""
    for field in schema["fields"]:
        if field["name"] == "ts" and field["type"] == {"type": "long", "logicalType": "timestamp-millis"}:
            field["type"] = "long"
    return schema
