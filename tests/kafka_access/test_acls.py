"""Each service may do what the table of topics says of it, and no more."""

import sys
from pathlib import Path

import pytest

from automl_stream.cli import main
from kafka_access.acls import SERVICES, Permission, permissions
from schemas.topics import COMMANDS, MODEL_UPDATES, TOPICS, topic_name
from tests.tiny import definition

PERMISSIONS = permissions("shop")


def may(service: str, operation: str, topic: str) -> bool:
    return any((p.service, p.operation, p.name) == (service, operation, topic) for p in PERMISSIONS)


def test_whoever_the_table_names_may_write_or_read() -> None:
    for topic in TOPICS:
        name = topic_name("shop", topic)
        assert topic.producer == "command line" or may(topic.producer, "Write", name)
        assert all(may(reader, "Read", name) for reader in topic.consumers)


def test_every_writer_of_the_table_is_a_service_or_the_command_line() -> None:
    assert {topic.producer for topic in TOPICS} <= {*SERVICES, "command line"}
    assert {reader for topic in TOPICS for reader in topic.consumers} <= set(SERVICES)


def test_only_the_trainer_announces_and_only_the_operator_commands() -> None:
    writers = {p.service for p in PERMISSIONS if p.operation == "Write" and p.name == topic_name("shop", MODEL_UPDATES)}
    assert writers == {"trainer"}
    assert not [p for p in PERMISSIONS if p.operation == "Write" and p.name == topic_name("shop", COMMANDS)]
    assert {p.service for p in PERMISSIONS if p.operation == "All"} == {"operator"}


def test_nothing_reaches_beyond_the_pipeline_but_the_names_of_those_who_join_no_group() -> None:
    beyond = {(p.resource, p.name, p.operation, p.prefixed) for p in PERMISSIONS if not p.name.startswith("shop.")}
    assert beyond == {("group", "automl-stream-", "Describe", True)}


def test_the_command_prints_one_line_a_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(definition("shop"))
    monkeypatch.setattr(sys, "argv", ["automl-stream", "acls", str(file), "--tool", "kafka-acls", "--principal",
                                      "User:CN={service}.{pipeline}"])
    with pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PERMISSIONS) == len(set(lines))
    assert ("kafka-acls --add --allow-principal User:CN=score.shop --operation Write --topic shop.predictions "
            "--resource-pattern-type literal") in lines
    assert Permission(service="score", resource="topic", name="shop.predictions", operation="Write") in PERMISSIONS


def test_a_principal_that_names_something_else_is_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.toml"
    file.write_text(definition("shop"))
    monkeypatch.setattr(sys, "argv", ["automl-stream", "acls", str(file), "--principal", "User:{name}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "it may hold {pipeline} and {service}" in capsys.readouterr().err
