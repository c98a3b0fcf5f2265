"""What the commands print, and how an order reaches the trainer, on a real broker."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from automl_stream.cli import main
from automl_stream.models.history import answer_id
from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import (
    Command,
    Dataset,
    DriftAlert,
    Expert,
    GateVerdict,
    Model,
    Recipe,
    TrainerState,
    TrainingDecision,
    Verdict,
)
from schemas.topics import COMMANDS, DRIFT_ALERTS, LABELLED, MODEL_UPDATES, TRAINER_STATE, TRAINING_DECISIONS
from tests.live import Live
from tests.wait import wait_for

RECIPE = Recipe(family="lightgbm", window=250, dataset=Dataset(first=10, last=300, rows=250, digest="d1" * 32), seed=0)


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.servers)
    live = Live(kafka, tmp_path)
    yield live
    live.close()


class Shell:
    """`automl-stream models` on one pipeline."""

    def __init__(self, live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._live, self._capsys, self._monkeypatch = live, capsys, monkeypatch
        self.exit_code: object = None
        self.error = ""

    def text(self, *arguments: str) -> str:
        """What it prints."""
        argv = ["automl-stream", "models", arguments[0], str(self._live.file), *arguments[1:]]
        self._monkeypatch.setattr(sys, "argv", argv)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        self.exit_code = ended.value.code
        printed = self._capsys.readouterr()
        self.error = printed.err
        return printed.out

    def json(self, *arguments: str) -> Any:
        """The document it prints."""
        return msgspec.json.decode(self.text(*arguments, "--json"))


@pytest.fixture
def shell(live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(live, capsys, monkeypatch)


def decide(live: Live, decision_id: str, verdict: Verdict, *, trigger: str = "refresh",
           version: str | None = None) -> None:
    gate = GateVerdict(rule="evidence", champion_loss=0.5, candidate_loss=0.25, rows=100)
    made: dict[str, Any] = {"recipe": RECIPE, "gate": gate, "run": "r1"} if verdict == "promoted" else {}
    decision = TrainingDecision(decision_id=decision_id, incident_id=None, trigger=trigger, verdict=verdict,
                                reason="because", at=400, version=version, **made)
    live.write(TRAINING_DECISIONS, 0, encode(decision), key=decision_id.encode())


def two_versions(live: Live) -> list[int]:
    """Version 1, version 2 for a decision on record, and version 1 again by an operator's word."""
    model, profile = live.store(b"model"), live.store(b"profile")
    first = live.announce_stored(model, profile, -1, "1")
    second = live.announce_stored(live.store(b"another"), profile, first, "2")
    live.announce_stored(model, profile, first, "9")  # lost: the slot is at the second
    command = Command(command_id="c1", action="rollback", by="ann", reason="2 is rude", labelled_offset=0, issued_at=5)
    live.write(COMMANDS, 0, encode(command))
    decide(live, "d", "promoted", version="2")
    third = live.announce_stored(model, profile, second, "1", decision_id=answer_id("c1"))
    decide(live, answer_id("c1"), "promoted", trigger="command: rollback", version="1")
    return [first, second, third]


def test_list_has_a_line_for_each_accepted_announcement_and_says_which_serves(live: Live, shell: Shell) -> None:
    epochs = two_versions(live)
    expert = Expert(decision_id="d", recipe=RECIPE, loss=3.0, weight=10.0)
    live.say(TRAINER_STATE, TrainerState(covered=1, covered_alerts=0, labels=1, event_time=1, loss_scale=1.0,
                                         champion=expert, experts=[expert], champion_epoch=epochs[-1],
                                         refreshed_labels=0, refreshed_at=0))
    listing = shell.json("list")
    assert [(line["version"], line["epoch"], line["by"], line["serving"]) for line in listing["models"]] == [
        ("1", epochs[0], "policy", False), ("2", epochs[1], "policy", False), ("1", epochs[2], "ann", True)]
    assert (listing["champion_loss"], listing["contenders"]) == (0.3, 1)
    (line,) = shell.json("list", "--limit", "1")["models"]
    assert (line["family"], line["window"], line["rows"], line["loss"]) == ("lightgbm", 250, 250, 0.25)
    text = shell.text("list")
    assert text.count("serves") == 1
    assert "3 announcements; the champion's loss is 0.3000 now; 1 contenders" in text
    assert shell.exit_code == 0


def test_a_canary_serves_beside_the_champion_with_its_share(live: Live, shell: Shell) -> None:
    model, profile = live.store(b"model"), live.store(b"profile")
    first = live.announce_stored(model, profile, -1, "1")
    live.announce_stored(live.store(b"another"), profile, first, "2", canary_share=0.1)
    assert [(x["slot"], x["share"], x["serving"]) for x in shell.json("list")["models"]] == [
        ("champion", None, True), ("canary", 0.1, True)]
    assert "canary, 10%" in shell.text("list")


def test_show_tells_lineage_rows_gate_and_alerts_of_a_version(live: Live, shell: Shell) -> None:
    two_versions(live)
    live.say(DRIFT_ALERTS, *(DriftAlert(
        alert_id=f"a{version}", kind="covariate", window_start=0, window_end=1_000, scale=1, onset=0, features=["a"],
        sentence=f"a moved\x1b under {version}", budget="", profile="", labelled_offset=0,
        model=Model(version=version, digest="", epoch=0)) for version in "122"))
    shown = shell.json("show", "2")
    (epoch,) = shown["epochs"]
    assert (epoch["replaced"], epoch["serving"], shown["alerts"]) == ("1", False, 2)
    assert (shown["recipe"]["dataset"]["first"], shown["recipe"]["dataset"]["last"], shown["run"]) == (10, 300, "r1")
    text = shell.text("show", "2")
    assert f"250 rows of {live.name}.labelled, offsets 10 to 300, SHA-256 {'d1' * 32}" in text
    assert "evidence on 100 fresh rows: loss 0.2500, the champion's 0.5000" in text
    assert "\x1b" not in text
    assert "by ann: 2 is rude (serves)" in shell.text("show", "1")


def test_an_unknown_version_is_named_and_nothing_is_recorded(live: Live, shell: Shell) -> None:
    assert shell.text("promote", "7") == ""
    assert shell.exit_code == 2
    assert "there is no model yet, `automl-stream bootstrap` makes the first" in shell.error
    two_versions(live)
    before = live.count(COMMANDS)
    shell.text("promote", "7", "--wait", "0")
    assert shell.exit_code == 2
    assert "no version 7 of pipeline" in shell.error
    assert "known are 1, 2" in shell.error
    shell.text("promote", "1", "--canary", "1.5")
    assert (shell.exit_code, live.count(COMMANDS)) == (2, before)


def answer(live: Live, verdict: Verdict, seen: list[Command]) -> threading.Thread:
    """A trainer that answers the one command it hears of."""
    def trainer() -> None:
        (record,) = wait_for(lambda: live.records(COMMANDS) or None, 30)
        command = decode(record.value or b"", Command)
        seen.append(command)
        decide(live, "other", "rejected")
        decide(live, answer_id(command.command_id), verdict, trigger=f"command: {command.action}", version="1")

    thread = threading.Thread(target=trainer)
    thread.start()
    return thread


@pytest.mark.parametrize(("verdict", "code"), [("promoted", 0), ("rejected", 1)])
def test_an_order_is_recorded_behind_what_is_labelled_and_its_answer_printed(
        live: Live, shell: Shell, verdict: Verdict, code: int) -> None:
    live.announce_stored(live.store(b"model"), live.store(b"profile"), -1, "1")
    live.write(LABELLED, 0, *[b"{}"] * 5)
    seen: list[Command] = []
    trainer = answer(live, verdict, seen)
    text = shell.text("promote", "1", "--canary", "0.25", "--by", "ann", "--reason", "try it")
    trainer.join()
    (command,) = seen
    assert (command.action, command.version, command.share) == ("promote", "1", 0.25)
    assert (command.by, command.reason, command.labelled_offset) == ("ann", "try it", 5)
    assert text == f"{verdict}: because (version 1)\n"
    assert shell.exit_code == code


@pytest.mark.parametrize("action", ["rollback", "pause", "resume", "refresh"])
def test_where_no_trainer_answers_the_order_is_recorded_and_waits(live: Live, shell: Shell, action: str) -> None:
    live.announce_stored(live.store(b"model"), live.store(b"profile"), -1, "1")
    assert shell.text(action, "--wait", "0") == ""
    assert shell.exit_code == 1
    (record,) = live.records(COMMANDS)
    command = decode(record.value or b"", Command)
    assert (command.action, record.key) == (action, command.command_id.encode())
    assert command.by
    assert f"command {command.command_id} ({action}) is recorded in {live.name}.commands and waits" in shell.error


def test_a_pipeline_without_topics_is_named(live: Live, shell: Shell) -> None:
    live.file.write_text(live.file.read_text().replace(live.name, "nobody"))
    assert shell.text("list") == ""
    assert shell.exit_code == 1
    assert "topic nobody.model-updates is not there" in shell.error


def test_model_updates_that_are_no_announcement_are_left_out(live: Live, shell: Shell) -> None:
    live.write(MODEL_UPDATES, 0, b"{")
    live.announce_stored(live.store(b"model"), live.store(b"profile"), -1, "1")
    assert [x["epoch"] for x in shell.json("list")["models"]] == [1]
