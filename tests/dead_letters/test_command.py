"""Wrong use is one sentence and exit code 2."""

import sys
from pathlib import Path

import pytest

from automl_stream.broker import broker
from automl_stream.cli import main
from automl_stream.wrong_use import WrongUse
from tests.tiny import definition


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(definition())
    return str(path)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["list", "--reason", "bored"], "'bored' is none of empty, malformed"),
    (["list", "--since", "soon"], "'soon' is no time"),
    (["show", "somewhere"], "'somewhere' is no source"),
    (["replay", "--dryrun"], "No such option"),
])
def test_wrong_use_is_named(pipeline: str, arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch,
                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["automl-stream", "dead-letters", arguments[0], pipeline, *arguments[1:]])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert sentence in printed.err


def test_the_environment_names_the_broker_and_a_database_is_not_asked_for(tmp_path: Path) -> None:
    with broker(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": "kafka:1"}) as kafka:
        assert kafka.servers == "kafka:1"
    with pytest.raises(WrongUse, match="KAFKA_BOOTSTRAP_SERVERS is not set and nothing runs"), broker(tmp_path, {}):
        pass
