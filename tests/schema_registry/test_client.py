"""With a real registry (Apicurio, which speaks Confluent's API), and with Confluent's own serdes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schema_registry.client import RegistryClient
from schema_registry.errors import EncodingUnavailable, RegistryAway
from schema_registry.events import event_codec
from schemas.avro import event_schema
from tests.schema_registry.apicurio import Apicurio
from tests.schema_registry.test_events import avro_pipeline

PIPELINE = avro_pipeline()
SUBJECT = "tiny.events-value"


@pytest.fixture
def confluent(registry: Apicurio) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry.url, "timeout": 30}) as client:
        yield client


def test_the_schema_is_registered_once_under_the_topics_name(
        registry: Apicurio, confluent: SchemaRegistryClient) -> None:
    written = [event_codec(PIPELINE, {"SCHEMA_REGISTRY_URL": registry.url}).encode("e", 5, "", {"a": 1.0, "c": "x"})
               for _ in range(2)]
    assert written[0] == written[1]
    latest = confluent.get_latest_version(SUBJECT)
    assert int.from_bytes(written[0][1:5]) == latest.schema_id
    assert json.loads(latest.schema.schema_str or "") == json.loads(event_schema(PIPELINE))


def test_confluents_deserializer_reads_what_is_written(
        registry: Apicurio, confluent: SchemaRegistryClient) -> None:
    written = event_codec(PIPELINE, {"SCHEMA_REGISTRY_URL": registry.url}).encode("e", 5, "x", {"a": 1.0, "c": "y"})
    serdes: Any = AvroDeserializer  # its constructor is assigned, which type checkers do not see
    read = serdes(confluent)(written, SerializationContext("tiny.events", MessageField.VALUE))
    assert (read["event_id"], read["ts"].timestamp(), read["entity"]) == ("e", 0.005, "x")
    assert read["features"] == {"a": 1.0, "b": None, "c": "y"}


def test_what_confluents_serializer_writes_is_read(
        registry: Apicurio, confluent: SchemaRegistryClient) -> None:
    schema = json.loads(event_schema(PIPELINE))
    schema["fields"].append({"name": "shop", "type": "string"})
    serdes: Any = AvroSerializer  # as above
    serializer = serdes(confluent, json.dumps(schema))
    event = {"v": 1, "event_id": "e", "ts": 5, "entity": "", "shop": "s", "features": {"a": 2.0, "b": 0.5, "c": "y"}}
    written = serializer(event, SerializationContext("other.events", MessageField.VALUE))
    codec = event_codec(PIPELINE, {"SCHEMA_REGISTRY_URL": registry.url})
    read = codec.decode(written)
    assert (read.event_id, read.ts, codec.values(read.features)) == ("e", 5, (2.0, 0.5, "y"))


def test_only_the_registrys_own_word_makes_an_id_unknown(registry: Apicurio) -> None:
    assert RegistryClient(registry.url, "", SUBJECT).writer(2_000_000_000) is None
    with pytest.raises(RegistryAway, match="does not answer"):
        RegistryClient(registry.url.replace("ccompat", "nowhere"), "", SUBJECT).writer(2_000_000_000)
    with pytest.raises(RegistryAway, match=r"http://127\.0\.0\.1:1 does not answer"):
        RegistryClient("http://127.0.0.1:1", "", SUBJECT).writer(1)


def test_a_schema_that_the_registry_refuses_is_told_with_its_subject(
        registry: Apicurio, confluent: SchemaRegistryClient) -> None:
    confluent.register_schema("strict", Schema(event_schema(PIPELINE), "AVRO"))
    confluent.set_compatibility("strict", "FULL")
    narrowed = event_schema(PIPELINE).replace('"double"', '"string"')
    with pytest.raises(EncodingUnavailable, match="refuses the schema of 'strict'"):
        RegistryClient(registry.url, "", "strict").register(narrowed)
    with pytest.raises(RegistryAway):
        RegistryClient("http://127.0.0.1:1", "", "strict").register(narrowed)
