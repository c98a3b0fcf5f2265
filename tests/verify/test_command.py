"""The command says one sentence, and its exit code tells well, wanting and wrong use apart."""

from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from automl_stream.verify import loading
from automl_stream.verify.command import add_command, reachable
from automl_stream.verify.errors import NoAddress
from automl_stream.verify.recording import Recording
from automl_stream.verify.verdict import Verdict
from kafka_access.access import KafkaAccess
from schemas.topics import PREDICTIONS

from .model import PIPELINE
from .mutation import dropped

ADDRESSES = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:1", "DATABASE_URL": "postgresql://db"}


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    add_command(app)
    return app


@pytest.fixture
def pipeline(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(PIPELINE)
    return str(path)


def use(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load", lambda *_: (recording, ["monitor"]))
    for name, value in ADDRESSES.items():
        monkeypatch.setenv(name, value)


def test_all_well_exits_with_0_and_reports(app: typer.Typer, pipeline: str, recording: Recording, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    use(recording, monkeypatch)
    result = CliRunner().invoke(app, ["verify", "--pipeline", pipeline, "--report", str(tmp_path / "report.json")])
    assert result.exit_code == 0
    assert "All is well." in result.stdout
    assert "Judged although it lags behind: monitor." in result.stdout
    assert b'"raw_repeats": 8' in (tmp_path / "report.json").read_bytes()


def test_a_difference_exits_with_1_and_is_shown(app: typer.Typer, pipeline: str, recording: Recording,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    use(dropped(recording, PREDICTIONS, 3), monkeypatch)
    result = CliRunner().invoke(app, ["verify", "--pipeline", pipeline])
    assert result.exit_code == 1
    assert "neither: the event is lost" in result.stdout


def test_json_is_the_verdict(app: typer.Typer, pipeline: str, recording: Recording,
                             monkeypatch: pytest.MonkeyPatch) -> None:
    use(recording, monkeypatch)
    result = CliRunner().invoke(app, ["verify", "--pipeline", pipeline, "--json"])
    assert msgspec.json.decode(result.stdout, type=Verdict).ok


def test_without_an_address_it_is_wrong_use(app: typer.Typer, pipeline: str, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)
    result = CliRunner().invoke(app, ["verify", "--pipeline", pipeline, "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert "KAFKA_BOOTSTRAP_SERVERS is not set and nothing runs in" in result.stderr


def test_a_pipeline_file_that_is_not_there_is_wrong_use(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["verify", "--pipeline", "nowhere.toml"], env=ADDRESSES)
    assert result.exit_code == 2
    assert "nowhere.toml: cannot be read" in result.stderr


def test_the_environment_names_the_addresses(tmp_path: Path) -> None:
    with reachable(tmp_path, ADDRESSES) as found:
        assert found == (KafkaAccess(servers="kafka:1"), "postgresql://db")
    with pytest.raises(NoAddress, match="DATABASE_URL"), reachable(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": "kafka:1"}):
        pass
