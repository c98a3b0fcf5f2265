"""Strimzi is told every topic and every permission, and nothing else."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl_stream.cli import main
from automl_stream.deployment.strimzi import resources
from kafka_access.acls import Permission, permissions
from schemas.pipeline import parse_pipeline
from schemas.topics import TOPICS, partition_count, topic_name, topic_settings
from tests.tiny import definition

PIPELINE = parse_pipeline(definition("my_shop"), "my_shop.toml")
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(resources(PIPELINE, "big")))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in DOCUMENTS if one["kind"] == kind]


def test_every_topic_is_as_the_local_stack_makes_it() -> None:
    found = {one["spec"]["topicName"]: one["spec"] for one in of_kind("KafkaTopic")}
    assert set(found) == {topic_name("my_shop", topic) for topic in TOPICS}
    for topic in TOPICS:
        spec = found[topic_name("my_shop", topic)]
        assert spec["partitions"] == partition_count(PIPELINE, topic)
        assert ({name: str(value) for name, value in spec["config"].items()}
                == topic_settings(PIPELINE, topic) | {"min.insync.replicas": "2"})


def test_every_permission_comes_back_from_the_users() -> None:
    found = [
        Permission(service=one["metadata"]["name"].removeprefix("my-shop-"), resource=rule["resource"]["type"],
                   name=rule["resource"]["name"], operation=operation,
                   prefixed=rule["resource"]["patternType"] == "prefix")
        for one in of_kind("KafkaUser") for rule in one["spec"]["authorization"]["acls"]
        for operation in rule["operations"]]
    assert sorted(found) == permissions("my_shop")


def test_names_are_such_as_kubernetes_allows() -> None:
    names = [one["metadata"]["name"] for one in DOCUMENTS]
    assert not [name for name in names if "_" in name]
    assert len(set(names)) == len(names)
    assert {one["metadata"]["labels"]["strimzi.io/cluster"] for one in DOCUMENTS} == {"big"}


def test_the_command_says_how_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(definition("shop"))
    monkeypatch.setattr(sys, "argv", ["automl-stream", "strimzi", str(file), "--cluster", "big"])
    with pytest.raises(SystemExit):
        main()
    written = capsys.readouterr().out
    assert written.startswith(f"# Written by `automl-stream strimzi {file}`. Do not edit.\n---\n")
    assert len(list(yaml.safe_load_all(written))) == len(DOCUMENTS)
