import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from producers.commands import add_commands
from schemas.topics import EVENTS, LABELS
from tests.producers.conftest import DEFINITION, Broker

APP = typer.Typer()
add_commands(APP)
PROGRAM = "import typer; from producers.commands import add_commands; app = typer.Typer(); add_commands(app); app()"


@pytest.fixture
def definition(broker: Broker, tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text(DEFINITION.format(name=broker.pipeline.name))
    return path


def ids(broker: Broker) -> Counter[str]:
    records = (msgspec.json.decode(record.value() or b"") for record in broker.records(EVENTS))
    return Counter(record["event_id"] for record in records if "event_id" in record)


def test_replay_says_what_was_confirmed(broker: Broker, shop_csv: Path, definition: Path) -> None:
    servers = broker.kafka.servers
    result = CliRunner().invoke(APP, ["replay", str(shop_csv), "--pipeline", str(definition), "--from-row", "10",
                                      "--json"], env={"KAFKA_BOOTSTRAP_SERVERS": servers})
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["events_confirmed"] == 40
    assert len(broker.records(LABELS)) == 40


def test_a_replay_that_was_killed_goes_on_where_it_was(broker: Broker, shop_csv: Path, definition: Path) -> None:
    arguments = ["replay", str(shop_csv), "--pipeline", str(definition), "--servers", broker.kafka.servers]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments, "--rate", "20"], stderr=subprocess.DEVNULL)
    while len(ids(broker)) < 5:
        assert process.poll() is None, "the replay ended before it could be killed"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(ids(broker)) < 50
    result = CliRunner().invoke(APP, [*arguments, "--resume"])
    assert result.exit_code == 0, result.output
    assert ids(broker) == Counter(str(number) for number in range(50))
    assert len(broker.records(LABELS)) == 50


def test_wrong_input_ends_with_2_and_one_sentence(tmp_path: Path, shop_csv: Path) -> None:
    for arguments, sentence in [
        (["replay", str(tmp_path / "gone.csv")], "there is no such file"),
        (["replay", str(shop_csv)], "pipelines/shop.toml: cannot be read"),
        (["scenario", "weather"], "there is no scenario 'weather'"),
        (["scenario", "payments", "--change", "x@1"], "cannot be read"),
        (["scenario", "payments"], "no Kafka broker is named; set KAFKA_BOOTSTRAP_SERVERS"),
    ]:
        result = CliRunner().invoke(APP, arguments, env={"KAFKA_BOOTSTRAP_SERVERS": ""})
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
        assert sentence in result.stderr


def test_a_broker_that_fails_ends_with_1(broker: Broker, shop_csv: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "nowhere.toml"
    elsewhere.write_text(DEFINITION.format(name="nowhere"))
    result = CliRunner().invoke(APP, ["replay", str(shop_csv), "--pipeline", str(elsewhere),
                                      "--servers", broker.kafka.servers])
    assert result.exit_code == 1
    assert "create the pipeline's topics first" in result.stderr


def test_a_scenario_is_written_with_its_truth(tmp_path: Path) -> None:
    out = tmp_path / "pay.csv.gz"
    result = CliRunner().invoke(APP, ["scenario", "payments", "--rows", "100", "--change", "concept@50",
                                      "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "pay.truth.json").read_text())["documented"] == [50]
    assert out.exists()
