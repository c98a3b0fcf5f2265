"""The history that running services have recorded gives what the replayed file gives."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_stream.cli import main
from kafka_access.access import KafkaAccess
from producers.files import file_rows, open_table
from producers.labelled import labelled_rows
from producers.transfer import Transfer, send_file
from schemas.topics import LABELLED, PREDICTIONS
from tests.live import Live

ROWS, TRAINED, CHANGE = 900, 180, 600
UNLABELLED = range(TRAINED + 4, ROWS, 9)  # a bootstrap keeps nothing of such rows

PIPELINE = """
[pipeline]
name = "{name}"
task = "binary"
partitions = 2
[replay]
label = "left"
entity = "customer"
[windows]
size = "50s"
lateness = "2s"
[retraining]
refresh_labels = 200
min_new_labels = 300
families = ["logistic"]
windows = ["all"]
[gate]
min_rows = 50
[[features]]
name = "a"
type = "number"
[[features]]
name = "b"
type = "number"
optional = true
[[features]]
name = "c"
type = "category"
"""

Command = Callable[..., Any]


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    live = Live(kafka, tmp_path, lambda name: PIPELINE.format(name=name))
    yield live
    live.close()


@pytest.fixture
def command(live: Live, kafka: KafkaAccess, monkeypatch: pytest.MonkeyPatch,
            capsys: pytest.CaptureFixture[str]) -> Command:
    """`automl-stream backtest` with the pipeline's file; returns its document and stderr, or exit code and stderr."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.servers)

    def run(*arguments: str) -> tuple[Any, str]:
        argv = ["automl-stream", "backtest", *arguments, "--pipeline", str(live.file), "--json"]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return (ended.value.code or json.loads(printed.out.splitlines()[-1])), printed.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Rows of 40 customers; the first feature moves at row 600, some have no label or miss a value."""
    random = np.random.default_rng(0)
    a = random.normal(size=ROWS) + 2.0 * (np.arange(ROWS) >= CHANGE)
    left = random.random(ROWS) < 1 / (1 + np.exp(-2 * a))
    lines = [f"{k % 40},{a[k]:.4f},{'' if k % 7 == 0 else k % 5},{'xyz'[k % 3]},"
             f"{'' if k in UNLABELLED else 'yes' if left[k] else 'no'}" for k in range(ROWS)]
    path = tmp_path / "customers.csv"
    path.write_text("\n".join(["customer,a,b,c,left", *lines]) + "\n")
    return path


def serve(live: Live, file: Path, kafka: KafkaAccess, database_url: str) -> None:
    """Bootstrap on the first rows, replay the others through the services, and some of them twice."""
    rows = islice(file_rows(open_table(file), live.pipeline), TRAINED)
    first = list(labelled_rows(rows, live.pipeline, "f00d", lambda _row, _problem: None))
    live.say(LABELLED, *first)
    live.announce(1.0, -1)
    live.start("score")
    for service in ("record", "labels"):
        live.start(service, DATABASE_URL=database_url)
    for from_row in (TRAINED, ROWS - 50):
        send_file(open_table(file), live.pipeline, Transfer(kafka=kafka, from_row=from_row))
    live.until(lambda: live.count(PREDICTIONS) >= ROWS - TRAINED + 50, "all predictions")
    live.until(lambda: live.count(LABELLED) >= ROWS - len(UNLABELLED), "all labels to be joined")


def without_cost(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in ("cost", "training_seconds")}


def test_the_backtest_of_a_topic_is_that_of_the_file_that_was_replayed_to_it(
        live: Live, command: Command, file: Path, kafka: KafkaAccess, database_url: str) -> None:
    serve(live, file, kafka, database_url)
    of_file, _ = command(str(file))
    of_topic, said = command("--topic")
    assert without_cost(of_topic) == without_cost(of_file)
    assert of_topic.keys() == of_file.keys()
    assert of_topic["alerts"]
    assert of_topic["promotions"] > 0
    assert "900 events from 2000-01-01T00:00:00Z to 2000-01-01T00:14:59Z." in said
    assert "80 of them have no label yet" in said

    policy = file.with_name("deaf.toml")
    policy.write_text("[drift]\nmin_effect = 1000.0\n")
    preview, _ = command("--topic", "--policy", str(policy))
    assert (preview["policy"], preview["alerts"], preview["rows"]) == ("deaf", [], ROWS)

    recent, said = command("--topic", "--last", "500")
    assert (recent["rows"], recent["rows_trained"]) == (500, 100)
    assert recent["alerts"]
    assert "500 events from 2000-01-01T00:06:40Z" in said
    assert command("--topic", "--since", "2000-01-01T00:06:40Z")[0]["alerts"] == recent["alerts"]
    code, said = command("--topic", "--since", "1d")
    assert (code, "no event is as young as --since wants it" in said) == (2, True)
    code, said = command("--topic", "--last", "3")
    assert (code, "of 3 rows that leaves nothing to train on" in said) == (2, True)

    live.write(LABELLED, 0, b"{")
    live.write(PREDICTIONS, 1, b"")
    again, said = command("--topic")
    assert without_cost(again) == without_cost(of_topic)
    assert said.count("This record cannot be read and is left out") == 2


def test_a_topic_that_is_not_there_or_is_empty_is_one_sentence(live: Live, command: Command) -> None:
    code, said = command("--topic")
    assert (code, said.count("\n")) == (2, 1)
    assert f"topic {live.name}.labelled holds no event; `automl-stream bootstrap`" in said
    live.file.write_text(PIPELINE.format(name="nobody"))
    code, said = command("--topic")
    assert (code, said.count("\n")) == (1, 1)
    assert "topic nobody.labelled is not there" in said
