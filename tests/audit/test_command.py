"""What the commands of the audit tell of a real recorder's work."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from automl_stream.cli import main
from automl_stream.models.history import answer_id
from schemas.codec import ANSWERED_EPOCH, decode, encode
from schemas.messages import (
    AuditHead,
    Command,
    Dataset,
    DriftAlert,
    GateVerdict,
    Label,
    Model,
    Prediction,
    Recipe,
    TrainingDecision,
)
from schemas.roles import OWNER
from schemas.topics import AUDIT_HEADS, COMMANDS, DRIFT_ALERTS, EVENTS, LABELS, PREDICTIONS, TRAINING_DECISIONS
from tests.conftest import Backends
from tests.live import Live
from tests.tiny import event_bytes, metadata_of, onnx_bytes, profile_bytes

RECIPE = Recipe(family="lightgbm", window=250, dataset=Dataset(first=10, last=300, rows=250, digest="d1" * 32), seed=0)
GATE = GateVerdict(rule="evidence", champion_loss=0.5, candidate_loss=0.25, rows=100)


class Desk:
    """A pipeline whose recorder runs, and `automl-stream audit` on it."""

    def __init__(self, live: Live, url: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.live, self.url, self._capsys, self._patch = live, url, capsys, patch
        self.exit_code: object = None
        self.error = ""

    def text(self, *arguments: str) -> str:
        argv = ["automl-stream", "audit", arguments[0], str(self.live.file), *arguments[1:]]
        self._patch.setattr(sys, "argv", argv)
        self._capsys.readouterr()
        try:
            main()
            self.exit_code = 0
        except SystemExit as ended:
            self.exit_code = ended.code
        printed = self._capsys.readouterr()
        self.error = printed.err
        return printed.out

    def json(self, *arguments: str) -> Any:
        return msgspec.json.decode(self.text(*arguments, "--json"))

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """As the owner, who may do anything to the tables."""
        with psycopg.connect(self.url) as connection:
            connection.execute(f"set role {OWNER}".encode())
            done = connection.execute(statement.replace("{}", f'"{self.live.name}"').encode())
            return done.fetchall() if done.description else []

    def heads(self) -> set[tuple[str, int]]:
        records = self.live.records(AUDIT_HEADS)
        return {((r.key or b"").decode(), decode(r.value or b"", AuditHead).position) for r in records}

    def audited(self, *wanted: tuple[str, int]) -> None:
        """Wait until rows up to these places have their heads."""
        places = {(f"{self.live.name}.{topic}/0", position) for topic, position in wanted}
        self.live.until(lambda: places <= self.heads(), f"heads of {places}")


@pytest.fixture
def desk(backends: Backends, tmp_path: Path, capsys: pytest.CaptureFixture[str],
         monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", backends.kafka.servers)
    monkeypatch.setenv("DATABASE_URL", backends.database_url)
    live = Live(backends.kafka, tmp_path)
    live.start("record", DATABASE_URL=backends.database_url)
    yield Desk(live, backends.database_url, capsys, monkeypatch)
    live.close()
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f'drop schema if exists "{live.name}" cascade'.encode())


def command(number: int, action: Any = "pause") -> Command:
    return Command(command_id=f"c{number}", action=action, by="ann", reason=f"reason {number}", labelled_offset=0,
                   issued_at=5)


def alert(live: Live) -> DriftAlert:
    return DriftAlert(alert_id="a", kind="covariate", window_start=0, window_end=1_000, scale=1, onset=0,
                      features=["a"], sentence=f"a moved\x1b in {live.name}", budget="", profile="", labelled_offset=0,
                      model=Model(version="1", digest="", epoch=0))


def test_list_and_show_tell_what_was_said_by_whom(desk: Desk) -> None:
    desk.live.say(COMMANDS, command(0), command(1, "refresh"))
    desk.audited(("commands", 1))
    desk.live.say(DRIFT_ALERTS, alert(desk.live))
    desk.audited(("drift-alerts", 0))
    lines = desk.json("list")
    assert [(x["place"], x["by"]) for x in lines] == [
        ("commands/0/0", "ann"), ("commands/0/1", "ann"), ("drift-alerts/0/0", "monitor")]
    assert lines[1]["what"] == "refresh (reason 1)"
    assert [x["place"] for x in desk.json("list", "--topic", "commands", "--limit", "1")] == ["commands/0/1"]
    assert "\x1b" not in desk.text("list")
    row = desk.json("show", "commands/0/1")
    assert msgspec.json.decode(row["value"])["reason"] == "reason 1"
    assert row["hash"] == lines[1]["hash"]
    assert desk.text("show", "commands/0/7") == ""
    assert (desk.exit_code, "has no row commands/0/7" in desk.error) == (2, True)
    assert desk.text("list", "--topic", "events") == ""
    assert (desk.exit_code, "expected one of commands, config, drift-alerts" in desk.error) == (2, True)


CHANGES = [
    "update {}.audit set value = 'x' where position = 2", "update {}.audit set record_ts = 0 where position = 2",
    "update {}.audit set key = null where position = 2", "delete from {}.audit where position = 2",
    "update {}.audit set chain = key where position = 2", "update {}.audit set position = 9 where position = 2",
]


def test_verify_finds_whatever_the_owner_changed_and_names_the_first_row(desk: Desk) -> None:
    for number in range(4):
        desk.live.say(COMMANDS, command(number))
    desk.audited(("commands", 3))
    assert "4 rows" in desk.text("verify")
    assert desk.exit_code == 0
    desk.execute("create table {}.honest as select * from {}.audit")
    for change in CHANGES:
        desk.execute(change)
        (bad,) = [chain for chain in desk.json("verify") if chain["difference"]]
        assert (bad["topic"], bad["position"], desk.exit_code) == (f"{desk.live.name}.commands", 2, 1), change
        assert "  offset 2: " in desk.text("verify")
        desk.execute("delete from {}.audit")
        desk.execute("insert into {}.audit select * from {}.honest")
    assert "Nothing was changed." in desk.text("verify")


@pytest.mark.timeout(200)
def test_explain_tells_of_a_prediction_of_each_version_who_made_it_from_what_and_why(desk: Desk) -> None:
    live = desk.live
    live.announce(1.0, -1)
    for service in ("score", "labels"):
        live.start(service, DATABASE_URL=desk.url)
    live.write(EVENTS, 0, event_bytes("early", 1_000), key=b"early", header=(ANSWERED_EPOCH, b"0"))
    live.until(lambda: live.count(PREDICTIONS) == 1, "a prediction")
    live.say(COMMANDS, command(1, "promote"))
    live.say(TRAINING_DECISIONS, *(TrainingDecision(
        decision_id=decision, incident_id=None, trigger="refresh", verdict="promoted", reason="because", at=400,
        version=version, recipe=RECIPE, gate=GATE, run="r1")
        for decision, version in (("d", "w1.0"), (answer_id("c1"), "w2.0"))))
    second = live.store(onnx_bytes(2.0, metadata_of(live.pipeline)))
    live.announce_stored(second, live.store(profile_bytes()), 0, "w2.0", decision_id=answer_id("c1"))
    answered = live.until(lambda: _predicted(live, 1), "the second version")
    assert answered is not None
    live.say(DRIFT_ALERTS, alert(live))
    live.write(LABELS, 0, encode(Label(event_id="early", entity="early", ts=2_000, label="yes")), key=b"early")
    desk.audited(("model-updates", 1), ("drift-alerts", 0), ("training-decisions", 1), ("commands", 0))
    live.until(lambda: desk.execute("select 1 from {}.labels where emitted_revision is not null"), "the label")

    early = desk.json("explain", "early")
    assert (early["prediction"]["model_epoch"], early["maker"]["by"], early["truth"]["label"]) == (0, "policy", "yes")
    assert "over HTTP, by the model of epoch 0" in desk.text("explain", "early")
    assert early["features"] == {"a": 0.5, "b": None, "c": "x"}
    assert (early["alerts_since"], early["maker"]["recipe"]["dataset"]["first"]) == (1, 10)
    late = desk.json("explain", answered, "--entity", answered)
    assert (late["prediction"]["model_epoch"], late["maker"]["by"], late["truth"]) == (1, "ann", None)
    text = desk.text("explain", answered)
    assert "by ann: reason 1; decision " in text
    assert f"250 rows of {live.name}.labelled, offsets 10 to 300, SHA-256 {'d1' * 32}" in text
    assert "evidence on 100 fresh rows" in text
    assert "\x1b" not in text
    assert desk.text("explain", "nobody") == ""
    assert (desk.exit_code, "no prediction of event 'nobody' is stored" in desk.error) == (2, True)


def _predicted(live: Live, epoch: int) -> str | None:
    """Id of an event that this epoch has answered; one more is sent each time."""
    number = live.count(EVENTS)
    live.write(EVENTS, 0, event_bytes(f"late{number}", 1_000 + number), key=b"x")
    live.until(lambda: live.count(PREDICTIONS) == number + 1, "a prediction")
    said = [decode(record.value or b"", Prediction) for record in live.records(PREDICTIONS)]
    return next((prediction.event_id for prediction in said if prediction.model.epoch == epoch), None)


def test_without_tables_the_command_says_what_makes_them(desk: Desk) -> None:
    desk.live.file.write_text(desk.live.file.read_text().replace(desk.live.name, "nobody"))
    assert desk.text("list") == ""
    assert desk.exit_code == 1
    assert "`automl-stream migrate` makes its tables" in desk.error
