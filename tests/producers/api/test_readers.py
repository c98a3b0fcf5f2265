"""What is taken at the door is what the score service reads, in either encoding; what is known is bounded."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.api.batch import BadRow
from producers.api.readers import EventReader, Record
from producers.api.recent import Recent
from schemas.avro import AvroEventCodec
from schemas.codec import EventCodec, EventFormat, epoch_ms
from tests.producers.conftest import define

NOW = 1_700_000_000_000
SHOP = define()
TEXT = st.text(max_size=8)


class Registry:
    """Schemas by number, in memory."""

    def __init__(self) -> None:
        self._schemas: list[str] = []

    def writer(self, schema_id: int) -> str | None:
        return self._schemas[schema_id - 1]

    def register(self, schema: str) -> int:
        self._schemas.append(schema)
        return len(self._schemas)


FEATURES = st.fixed_dictionaries(
    {"amount": st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-1_000, 1_000), TEXT),
     "online": st.one_of(st.booleans(), st.just(1))}, optional={"country": st.none() | TEXT})
EVENTS = st.fixed_dictionaries(
    {"event_id": st.one_of(TEXT, st.just("x" * 501)),
     "ts": st.one_of(st.integers(0, 2 * NOW), st.datetimes().map(lambda ts: ts.isoformat()), st.integers(), TEXT),
     "features": FEATURES}, optional={"entity": TEXT, "note": TEXT})


@pytest.mark.parametrize("codec", [EventCodec(SHOP), AvroEventCodec(SHOP, Registry())], ids=["json", "avro"])
@given(row=EVENTS)
def test_what_is_taken_is_read_alike_behind_kafka(codec: EventFormat, row: dict[str, Any]) -> None:
    data = json.dumps(row).encode()
    try:
        record = EventReader(SHOP, codec, lambda: NOW).read(data, "till")
    except BadRow:
        return
    sent, read = EventCodec(SHOP).decode(data), codec.decode(record.value)
    assert (read.event_id, read.entity, codec.values(read.features), epoch_ms(read.ts)) == (
        row["event_id"], row.get("entity", ""), EventCodec(SHOP).values(sent.features), epoch_ms(sent.ts))
    assert epoch_ms(read.ts) <= NOW + SHOP.windows.max_future
    assert record.key == (row.get("entity") or row["event_id"]).encode()
    assert row["event_id"]


def test_the_newest_are_remembered() -> None:
    recent = Recent(3)
    records = [Record(("card", str(n)), n, b"", b"") for n in range(5)]
    for record in records:
        recent.remember(record)
    assert [recent.content(record) for record in records] == [None, None, 2, 3, 4]
