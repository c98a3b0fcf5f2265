"""Avro events from producer to prediction: a real broker, a real registry (Apicurio), the real score worker."""

import json
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from fastavro import parse_schema, schemaless_writer

from kafka_access.access import KafkaAccess
from producers.errors import NothingToResume
from producers.files import open_table
from producers.transfer import Transfer, send_file
from schema_registry.client import RegistryClient
from schema_registry.events import event_codec
from schemas.avro import FRAME, event_schema
from schemas.pipeline import Pipeline
from schemas.topics import DEAD_LETTERS, EVENTS, PREDICTIONS
from tests.live import Live, differences
from tests.schema_registry.apicurio import Apicurio
from tests.tiny import definition

START = 946_684_800_000


def avro_definition(name: str) -> str:
    return definition(name) + '[encoding]\nevents = "avro"\n[replay]\nlabel = "y"\n'


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path, registry: Apicurio,
         monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", registry.url)
    live = Live(kafka, tmp_path, avro_definition)
    yield live
    live.close()


def later_event(pipeline: Pipeline, registry: Apicurio) -> bytes:
    """An event of a writer whose schema has grown: other order, one field more."""
    schema = json.loads(event_schema(pipeline))
    schema["fields"] = [{"name": "shop", "type": ["null", "string"], "default": None}, *reversed(schema["fields"])]
    out = BytesIO()
    out.write(FRAME.pack(0, RegistryClient(registry.url, "", "later").register(json.dumps(schema))))
    features = {"a": 1.0, "b": None, "c": "x"}
    schemaless_writer(out, parse_schema(schema), {
        "v": 1, "event_id": "later", "ts": START, "entity": "", "shop": "s", "features": features})
    return out.getvalue()


def waits(live: Live) -> int:
    """How often the score service has said that it waits for the registry."""
    return live.log("score").read_bytes().count(b"events wait for the schema registry")


def test_events_of_two_schemas_are_scored_and_only_what_cannot_be_read_is_a_dead_letter(
        live: Live, registry: Apicurio) -> None:
    codec = event_codec(live.pipeline, {"SCHEMA_REGISTRY_URL": registry.url})
    written = [
        codec.encode(f"e{k}", START + k * 20, "", {"a": k / 8 - 1, "b": k % 3 if k % 7 else None, "c": "xyz"[k % 3]})
        for k in range(500)]
    later = later_event(live.pipeline, registry)
    bad = [codec.encode("misfit", START, "", {"a": "much", "c": "x"}), FRAME.pack(0, 1_999_999_999) + b"\x02",
           written[0][:9], written[0] + b"x"]
    live.announce(1.0, -1)
    for partition in (0, 1):
        live.write(EVENTS, partition, *written, later, *bad, key=b"k")
    live.end_replay(START + 500 * 20)
    live.start("score")
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    assert len(reading.predictions) == 1_002
    assert Counter(entry.message.reason for entry in reading.dead_letters) == {"malformed": 8}
    assert any("knows no schema 1999999999" in entry.message.detail for entry in reading.dead_letters)


def test_while_the_registry_is_away_events_wait_and_none_becomes_a_dead_letter(live: Live, registry: Apicurio) -> None:
    codec = event_codec(live.pipeline, {"SCHEMA_REGISTRY_URL": registry.url})
    live.announce(1.0, -1)
    for partition in (0, 1):
        live.write(EVENTS, partition, *(codec.encode(f"e{k}", START + k, "", {"a": 0.5, "c": "x"}) for k in range(50)))
    registry.pause()
    try:
        live.start("score")
        live.until(lambda: waits(live), "the worker to say that it waits")
        assert (live.count(PREDICTIONS), live.count(DEAD_LETTERS)) == (0, 0)
    finally:
        registry.go_on()
    live.until(live.covered, "all events to be covered")
    # From here on the schema is known: the registry is not needed.
    registry.pause()
    try:
        live.write(EVENTS, 0, *(codec.encode(f"f{k}", START + k, "", {"a": 0.5, "c": "x"}) for k in range(50)))
        live.until(live.covered, "the others to be covered")
    finally:
        registry.go_on()
    assert differences(live.reading()) == []
    assert (live.count(PREDICTIONS), live.count(DEAD_LETTERS)) == (150, 0)


def test_a_replay_writes_avro_and_can_tell_what_it_has_written(live: Live, kafka: KafkaAccess,
                                                                tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b,c,y\n" + "".join(f"{k}.5,{k if k % 3 else ''},x,no\n" for k in range(20)) + "much,,x,no\n")
    summary = send_file(open_table(path), live.pipeline, Transfer(kafka=kafka))
    assert (summary.events_confirmed, summary.misfits) == (21, 1)
    values = [r.value or b"" for r in live.records(EVENTS) if not any(name == "type" for name, _ in r.headers)]
    assert Counter(value[:1] for value in values) == {b"\x00": 20, b"{": 1}
    with pytest.raises(NothingToResume, match="came to its end"):
        send_file(open_table(path), live.pipeline, Transfer(kafka=kafka, resume=True))
