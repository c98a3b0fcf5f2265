"""Avro events mean what JSON events mean, whoever wrote them; bytes that are none are told, never a crash."""

import json
import math
from contextlib import suppress
from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.avro import FRAME, AvroEventCodec, avro_name, event_schema
from schemas.codec import EventCodec
from schemas.messages import FeatureValue
from schemas.pipeline import Feature, Identity, Pipeline

FEATURES = (
    Feature(name="amount", type="number"), Feature(name="per cent", type="number", optional=True),
    Feature(name="rate", type="number", optional=True, default=0.5), Feature(name="land", type="category"),
    Feature(name="1st", type="category", optional=True, default="no"),
    Feature(name="open", type="boolean"), Feature(name="new", type="boolean", optional=True, default=True),
)
PIPELINE = Pipeline(pipeline=Identity(name="shop", task="binary"), features=FEATURES)
JSON = EventCodec(PIPELINE)
ROW: dict[str, FeatureValue] = {"amount": 1.5, "per cent": 2.0, "land": "grün", "open": True}


class Registered:
    """A registry in memory; ids count from 1."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.asked: list[int] = []

    def writer(self, schema_id: int) -> str | None:
        self.asked.append(schema_id)
        return self.texts[schema_id - 1] if schema_id <= len(self.texts) else None

    def register(self, schema: str) -> int:
        if schema not in self.texts:
            self.texts.append(schema)
        return self.texts.index(schema) + 1

    def write(self, schema: dict[str, Any], record: dict[str, Any]) -> bytes:
        """Bytes of a record as another program would write it."""
        out = BytesIO()
        out.write(FRAME.pack(0, self.register(json.dumps(schema))))
        schemaless_writer(out, parse_schema(schema), record)
        return out.getvalue()


def other_schema(*features: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A writer's own schema of an event."""
    return {"type": "record", "name": "Event", "fields": [
        {"name": "features", "type": {"type": "record", "name": "Features", "fields": list(features)}},
        {"name": "ts", "type": more.get("ts", "long")}, {"name": "event_id", "type": "string"}]}


def meaning(event: Any) -> tuple[Any, ...]:
    return event.event_id, event.ts, event.entity, event.v, JSON.values(event.features)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ROWS = st.fixed_dictionaries(
    {"amount": NUMBERS, "land": TEXTS, "open": st.booleans()},
    optional={"per cent": NUMBERS | st.none(), "rate": NUMBERS | st.none(), "1st": TEXTS | st.none(),
              "new": st.booleans() | st.none()})


@given(TEXTS, st.integers(-62_135_596_800_000, 253_402_300_799_999), TEXTS, ROWS)
def test_an_event_means_in_avro_what_it_means_in_json(event_id: str, ts: int, entity: str,
                                                       row: dict[str, FeatureValue]) -> None:
    codec = AvroEventCodec(PIPELINE, Registered())
    written = codec.encode(event_id, ts, entity, row)
    assert written[:5] == b"\x00\x00\x00\x00\x01"
    assert meaning(codec.decode(written)) == meaning(JSON.decode(JSON.encode(event_id, ts, entity, row)))


@pytest.mark.parametrize(("ts", "row"), [
    (5, ROW | {"amount": "much"}), (5, {"land": "x", "open": True}), (None, ROW), ("soon", ROW), (10**17, ROW),
    (5, ROW | {"amount": math.nan}), (5, ROW | {"open": 1.0}),
])
def test_a_row_that_does_not_fit_is_sent_as_json_and_cannot_be_read(ts: int | str | None,
                                                                     row: dict[str, FeatureValue]) -> None:
    codec = AvroEventCodec(PIPELINE, Registered())
    written = codec.encode("e", ts, "", row)
    assert written == JSON.encode("e", ts, "", row)
    with pytest.raises(msgspec.DecodeError, match="do not begin with 0"):
        codec.decode(written)


def test_a_writer_may_order_add_and_leave_out_fields_and_write_other_numbers() -> None:
    registry = Registered()
    schema = other_schema(
        {"name": "open", "type": "boolean"}, {"name": "amount", "type": "int"},
        {"name": "colour", "type": ["null", "string"]}, {"name": "land", "type": "string"})
    event = AvroEventCodec(PIPELINE, registry).decode(registry.write(schema, {
        "event_id": "e", "ts": 7, "features": {"open": True, "amount": 3, "colour": "red", "land": "x"}}))
    assert meaning(event) == ("e", 7, "", 1, (3.0, None, 0.5, "x", "no", True, True))


@pytest.mark.parametrize(("unit", "written"), [("timestamp-millis", 1_500), ("timestamp-micros", 1_500_000)])
def test_a_time_is_the_same_in_the_units_of_its_writer(unit: str, written: int) -> None:
    registry = Registered()
    schema = other_schema({"name": "amount", "type": "double"}, {"name": "land", "type": "string"},
                          {"name": "open", "type": "boolean"}, ts={"type": "long", "logicalType": unit})
    features = {"amount": 1.0, "land": "", "open": True}
    data = registry.write(schema, {"event_id": "e", "ts": written, "features": features})
    ts = AvroEventCodec(PIPELINE, registry).decode(data).ts
    assert ts == 1_500 if isinstance(ts, int) else ts.timestamp() == 1.5


@pytest.mark.parametrize("schema", [
    other_schema({"name": "amount", "type": "string"}), other_schema({"name": "land", "type": "string"}),
    {"type": "record", "name": "Event", "fields": [{"name": "x", "type": "Elsewhere"}]},
    {"type": "object"}, {"type": "record", "name": "Other", "fields": []}, "string", {"fields": 3},
])
def test_a_schema_that_does_not_fit_is_told_by_its_id(schema: Any) -> None:
    registry = Registered()
    registry.register(json.dumps(schema))
    with pytest.raises(msgspec.ValidationError, match="schema 1 "):
        AvroEventCodec(PIPELINE, registry).decode(FRAME.pack(0, 1) + b"\x02\x02\x02\x02")


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_invalid(amount: float) -> None:
    registry = Registered()
    features = {"amount": amount, "land": "", "open": True}
    data = registry.write(json.loads(event_schema(PIPELINE)), {"event_id": "e", "ts": 5, "features": features})
    with pytest.raises(msgspec.ValidationError, match=r"\$\.features\.amount"):
        AvroEventCodec(PIPELINE, registry).decode(data)


@pytest.mark.parametrize("schema_id", [2, 2**31 - 1, 0, -1])
def test_an_id_that_the_registry_does_not_know_is_named(schema_id: int) -> None:
    with pytest.raises(msgspec.DecodeError, match=f"knows no schema {schema_id}$"):
        AvroEventCodec(PIPELINE, Registered()).decode(FRAME.pack(0, schema_id) + b"x")


def test_a_schema_is_asked_for_once_and_an_unknown_one_again() -> None:
    registry = Registered()
    codec = AvroEventCodec(PIPELINE, registry)
    data = codec.encode("e", 5, "", ROW)
    codec.decode(data)
    codec.decode(data)
    for _ in range(2):
        with pytest.raises(msgspec.DecodeError):
            codec.decode(FRAME.pack(0, 9))
    assert registry.asked == [1, 9, 9]


def test_an_error_of_the_registry_passes_through_and_the_event_can_be_read_afterwards() -> None:
    class Flaky(Registered):
        def writer(self, schema_id: int) -> str | None:
            if not self.asked:
                self.asked.append(schema_id)
                raise ConnectionError
            return super().writer(schema_id)

    codec = AvroEventCodec(PIPELINE, Flaky())
    data = codec.encode("e", 5, "", ROW)
    with pytest.raises(ConnectionError):
        codec.decode(data)
    assert codec.decode(data).event_id == "e"


@given(st.data())
def test_broken_bytes_are_an_event_or_an_error_of_decoding(data: st.DataObject) -> None:
    codec = AvroEventCodec(PIPELINE, Registered())
    good = codec.encode("e", 5, "entity", ROW)
    at = data.draw(st.integers(5, len(good)))
    broken = good[:at] + data.draw(st.binary(max_size=12)) + good[at + data.draw(st.integers(0, 12)):]
    with suppress(msgspec.DecodeError):
        assert len(codec.values(codec.decode(broken).features)) == len(FEATURES)


def test_bytes_behind_an_event_are_not_passed_over() -> None:
    codec = AvroEventCodec(PIPELINE, Registered())
    with pytest.raises(msgspec.DecodeError, match="2 bytes follow the record of schema 1"):
        codec.decode(codec.encode("e", 5, "", ROW) + b"xx")


def test_the_schema_of_a_pipeline_is_what_it_always_was() -> None:
    features = json.loads(event_schema(PIPELINE))["fields"][-1]["type"]["fields"]
    assert features == [
        {"name": "amount", "type": "double"},
        {"name": "_per_cent_cff2fe", "type": ["null", "double"], "default": None, "feature": "per cent"},
        {"name": "rate", "type": ["double", "null"], "default": 0.5},
        {"name": "land", "type": "string"},
        {"name": "_1st_e01ddf", "type": ["string", "null"], "default": "no", "feature": "1st"},
        {"name": "open", "type": "boolean"},
        {"name": "new", "type": ["boolean", "null"], "default": True},
    ]


@given(st.lists(TEXTS.filter(bool), unique=True, max_size=8))
def test_every_name_has_a_name_of_its_own_that_avro_allows(names: list[str]) -> None:
    mapped = [avro_name(name) for name in names]
    assert len(set(mapped)) == len(names)
    assert all(name.isascii() and name.isidentifier() for name in mapped)
