"""The pipeline file and the environment choose the codec, and what is missing is said in one sentence."""

import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

from schema_registry.errors import EncodingUnavailable
from schema_registry.events import event_codec
from schemas.avro import AvroEventCodec
from schemas.codec import EventCodec
from schemas.pipeline import Pipeline, parse_pipeline
from tests.tiny import definition, tiny_pipeline

HERE = {"SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}


def avro_pipeline(url: str = "") -> Pipeline:
    return parse_pipeline(f'{definition()}\n[encoding]\nevents = "avro"\nschema_registry = "{url}"\n', "tiny.toml")


def test_a_pipeline_has_json_events_unless_its_file_says_otherwise() -> None:
    assert isinstance(event_codec(tiny_pipeline(), HERE), EventCodec)


@pytest.mark.parametrize(("url", "environment"), [("http://127.0.0.1:1", {}), ("", HERE)])
def test_the_registry_is_named_by_the_file_or_by_the_environment(url: str, environment: Mapping[str, str]) -> None:
    assert isinstance(event_codec(avro_pipeline(url), environment), AvroEventCodec)


@pytest.mark.parametrize(("environment", "words"), [
    ({}, "set SCHEMA_REGISTRY_URL or the key 'encoding.schema_registry'"),
    ({"SCHEMA_REGISTRY_URL": "registry:8081"}, "Invalid url registry:8081; change SCHEMA_REGISTRY_URL"),
    ({"SCHEMA_REGISTRY_URL": "http://me:secret@x"}, "set SCHEMA_REGISTRY_AUTH=user:password instead"),
    (HERE | {"SCHEMA_REGISTRY_AUTH": "secret"}, "change SCHEMA_REGISTRY_URL or SCHEMA_REGISTRY_AUTH"),
])
def test_a_registry_that_cannot_be_used_is_told_without_its_secrets(environment: Mapping[str, str], words: str) -> None:
    with pytest.raises(EncodingUnavailable, match=re.escape(words)) as caught:
        event_codec(avro_pipeline(), environment)
    assert "secret" not in str(caught.value)


def test_without_its_extra_an_avro_pipeline_ends_with_a_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for loaded in ("schemas.avro", "schema_registry.client"):
        monkeypatch.delitem(sys.modules, loaded, raising=False)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(EncodingUnavailable, match=r"fastavro is missing\); install automl-stream\[avro\]"):
        event_codec(avro_pipeline(), HERE)
    assert isinstance(event_codec(tiny_pipeline(), {}), EventCodec)


def test_services_and_producers_load_without_the_extra() -> None:
    absent = "sys.modules.update(dict.fromkeys(['fastavro', 'httpx2', 'authlib']))"
    program = f"import sys; {absent}; import stream_apps.score, stream_apps.quarantine, producers.transfer"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
