"""The environment is read once; what is missing or wrong ends the start with one sentence and exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kafka_access.access import UnusableAccess
from schemas.pipeline import PipelineError
from stream_apps.settings import MissingSetting, explained, read_settings
from telemetry.endpoint import Endpoint, UnusableEndpoint
from tests.tiny import definition

NEEDED = {"AUTOML_STREAM_PIPELINE": "p.toml", "KAFKA_BOOTSTRAP_SERVERS": "k:9092"}


def test_what_is_not_given_has_its_default() -> None:
    found = read_settings(NEEDED)
    assert (found.pipeline, found.kafka.servers) == (Path("p.toml"), "k:9092")
    assert (found.instance, found.metrics, found.database_url) == ("0", Endpoint(), None)


def test_what_is_given_is_taken() -> None:
    found = read_settings(NEEDED | {"AUTOML_STREAM_INSTANCE": "7", "METRICS_PORT": "9100", "DATABASE_URL": "postgresql:///u"})
    assert (found.instance, found.metrics.port, found.database_url) == ("7", 9_100, "postgresql:///u")


def test_what_outlives_the_service_is_kept_where_it_is_told() -> None:
    assert read_settings(NEEDED | {"AUTOML_STREAM_STATE": "/var/lib/x"}).state == Path("/var/lib/x")
    assert read_settings(NEEDED).state.name == f"automl-stream-{os.getuid()}"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named(name: str, value: str | None) -> None:
    environment = {k: v for k, v in NEEDED.items() if k != name} | ({} if value is None else {name: value})
    with pytest.raises((MissingSetting, UnusableAccess), match=f"{name} is not set; it must hold"):
        read_settings(environment)


@pytest.mark.parametrize("url", [
    "postgresql://ada:hush@db:5432/x", "postgres://db/x", "host=db password='hu sh' dbname=x"])
def test_a_database_that_can_be_read_is_taken_as_it_is(url: str) -> None:
    assert read_settings(NEEDED | {"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("url", [
    "postgresq://ada:hush@db/x", "ada:hush@db/x", "postgresql://ada:hu/sh@db/x", "postgresql://ada:hush@db:port/x",
    "hush", "host=db password='hush"])
def test_a_database_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    with pytest.raises(MissingSetting, match="DATABASE_URL cannot be read") as caught:
        read_settings(NEEDED | {"DATABASE_URL": url})
    assert "hu" not in str(caught.value)


@pytest.mark.parametrize("error", [
    MissingSetting("X is not set"), PipelineError("p.toml: X is wrong"), UnusableAccess("X is wrong"),
    UnusableEndpoint("X is wrong")])
def test_a_start_that_cannot_be_is_one_sentence_and_exit_code_2(
        error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    @explained
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"{error}\n"


def test_any_other_error_keeps_its_traceback() -> None:
    @explained
    def main() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        main()


@pytest.mark.parametrize("service", ["labels", "record"])
def test_a_service_without_its_database_says_so(service: str, tmp_path: Path) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(definition())
    environment = {"AUTOML_STREAM_PIPELINE": str(file), "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    ended = subprocess.run([sys.executable, "-m", f"stream_apps.{service}"], env=environment, capture_output=True,
                           text=True, check=False, timeout=60, cwd=Path(__file__).parents[2])
    assert ended.returncode == 2
    assert ended.stderr == "DATABASE_URL is not set; it must hold the URL of a PostgreSQL database\n"
