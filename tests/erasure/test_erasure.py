"""A person who is erased is nowhere in PostgreSQL, also after a replay, and everybody else still is."""

import asyncio
import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from automl_stream.cli import main
from automl_stream.erasure.traces import letter_names, names
from automl_stream.models.errors import NotRecorded
from automl_stream.models.orders import Orders
from schemas.codec import decode, encode
from schemas.messages import (
    Command,
    Dataset,
    DeadLetter,
    GateVerdict,
    LabelledEvent,
    Model,
    Prediction,
    Recipe,
    TrainingDecision,
)
from schemas.topics import COMMANDS, TRAINING_DECISIONS
from stream_apps.migrations.migrate import migrate
from stream_apps.record import Recorder
from stream_apps.storage import Storage
from tests.conftest import Backends
from tests.live import Live
from tests.stream_apps.fakes import FakeApp, FakeDelivery, FakeStream
from tests.tiny import FakeRecord

ADA = "ada@example"
MODEL = Model(version="1", digest="m", epoch=0)
PEOPLE = (ADA, "bob", f"not {ADA}", ADA)


class Desk:
    """A pipeline with topics, a recorder on its tables, and `automl-stream erase`."""

    def __init__(self, live: Live, url: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.live, self.url, self._capsys, self._patch = live, url, capsys, patch
        migrate(url, live.name)
        self.storage = Storage(url, live.name)
        self.recorder = Recorder(live.pipeline, self.storage, FakeApp(), FakeDelivery())  # type: ignore[arg-type]

    def record(self, topic: str, *values: bytes) -> None:
        records = [FakeRecord(offset=k, timestamp=1, value=value, key=b"k") for k, value in enumerate(values)]

        async def run() -> None:
            await self.recorder.record(FakeStream((f"{self.live.name}.{topic}", 0, records)))
            await self.storage.aclose()

        asyncio.run(run())

    def record_everything(self) -> None:
        self.record("predictions", *(prediction(k, person) for k, person in enumerate(PEOPLE)),
                    prediction(4, ADA).replace(b'"score":0.75', b'"score":null'))
        self.record("labelled", *(labelled(k, person) for k, person in enumerate(PEOPLE)))
        self.record("dead-letters", *(letter(k, person) for k, person in enumerate(PEOPLE)))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            done = connection.execute(query.replace("{}", f'"{self.live.name}"').encode())
            return done.fetchall() if done.description else []

    def erase(self, *arguments: str) -> tuple[object, str, str]:
        self._patch.setattr(sys, "argv", ["automl-stream", "erase", str(self.live.file), *arguments])
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def found(self, text: str) -> list[str]:
        """Tables that hold a text anywhere, also in base64."""
        forms = [text.encode().hex(), *(base64.b64encode(b" " * k + text.encode())[4:-4].hex() for k in range(3))]
        tables = self.rows("select relname from pg_class where relnamespace = '{}'::regnamespace and relkind = 'r'")
        holding = []
        for (table,) in tables:
            rows = self.rows(f'select t::text from {{}}."{table}" t')
            if any(text in row or any(form in row for form in forms) for (row,) in rows):
                holding.append(table)
        return sorted(holding)


def prediction(number: int, person: str) -> bytes:
    return encode(Prediction(
        event_id=f"e{number}", entity=person, ts=5, source=f"T-0-{number}", source_day="2026-01-31",
        pipeline_digest="d", model=MODEL, prediction="yes", score=0.75, features=[1.5, None, "x"], scored_at=7))


def labelled(number: int, person: str) -> bytes:
    return encode(LabelledEvent(event_id=f"e{number}", entity=person, ts=5, source=f"T-0-{number}", label="yes",
                                pipeline_digest="d", features=[1.5, None, "x"], labelled_ts=6))


def letter(number: int, person: str) -> bytes:
    raw = msgspec.json.encode({"event_id": "e", "entity": person, "ts": "late"})
    return encode(DeadLetter(source=f"T-0-{number}", reason="invalid", detail="ts", record_ts=1, last_offset=number,
                             raw=raw, raw_key=None))


@pytest.fixture
def desk(backends: Backends, tmp_path: Path, capsys: pytest.CaptureFixture[str],
         monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", backends.kafka.servers)
    monkeypatch.setenv("DATABASE_URL", backends.database_url)
    live = Live(backends.kafka, tmp_path)
    desk = Desk(live, backends.database_url, capsys, monkeypatch)
    yield desk
    live.close()
    desk.rows("drop schema {} cascade")


def test_an_erased_person_is_nowhere_and_stays_so_after_a_replay(desk: Desk) -> None:
    desk.record_everything()
    for person in PEOPLE[:3]:
        desk.rows("insert into {}.labels (entity, event_id, ts, label, revision, labeller, partition) values "
                  f"('{person}', 'e', 1, '1', 0, '', 0)")
    others = desk.rows(f"select * from {{}}.predictions where entity <> '{ADA}' order by source")
    assert {"labels", "predictions_2026-01-31", "refused", "messages_1970-01-01"} <= set(desk.found(ADA))
    recipe = Recipe(family="lightgbm", window="all", seed=0, dataset=Dataset(first=3, last=9, rows=7, digest="d"))
    clear = msgspec.structs.replace(recipe, dataset=Dataset(first=1, last=2, rows=2, digest="d"))
    gate = GateVerdict(rule="evidence", champion_loss=0.5, candidate_loss=0.25, rows=100)
    desk.live.say(TRAINING_DECISIONS, *(TrainingDecision(
        decision_id=name, incident_id=None, trigger="refresh", verdict="promoted", reason="", at=0, recipe=made,
        version=name, gate=gate) for name, made in (("d3-9", recipe), ("d1-2", clear))))

    code, text, _ = desk.erase(ADA, "--by", "ann", "--reason", "request 17")
    assert code == 0
    assert "2 predictions, 1 labels, 2 labelled events, 2 dead letters, 1 refused" in text
    assert "delete its records before offset 4" in text
    assert "cannot be reproduced without them: d3-9." in text
    assert f"{desk.live.name}.events 7 days" in text
    (record,) = desk.live.records(COMMANDS)
    command = decode(record.value or b"", Command)
    assert (command.action, command.by, command.reason[:12]) == ("erase", "ann", "request 17: ")
    assert ADA not in str(command)

    desk.record("commands", record.value or b"")
    for _ in range(2):
        assert desk.rows("select entity from {}.labels") == [("bob",), (f"not {ADA}",)]
        left = desk.found(ADA)
        assert left == desk.found(f"not {ADA}")
        assert "refused" not in left
        assert desk.rows("select * from {}.predictions where not erased order by source") == others
        assert desk.rows("select count(*) from {}.latest_predictions") == [(2,)]
        assert desk.rows("select topic, position from {}.messages where erased order by 1, 2") == [
            (f"{desk.live.name}.{topic}", offset) for topic in ("dead-letters", "labelled") for offset in (0, 3)]
        desk.record_everything()  # the recorder's group was set back
    assert "Erased from PostgreSQL: 0 predictions, 0 labels" in desk.erase(ADA)[1]


def test_a_newer_model_does_not_fill_an_erased_row_again(desk: Desk) -> None:
    desk.record("predictions", prediction(0, ADA))
    assert desk.erase(ADA)[0] == 0
    newer = decode(prediction(0, ADA), Prediction)
    desk.record("predictions", encode(msgspec.structs.replace(newer, model=Model(version="2", digest="m", epoch=9))))
    assert desk.found(ADA) == []
    assert desk.rows("select model_epoch, erased from {}.predictions") == [(0, True)]


def test_what_cannot_be_recorded_is_not_erased(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.record("predictions", prediction(0, ADA))

    def refuse(*_: object, **__: object) -> None:
        raise NotRecorded("Kafka is away")

    monkeypatch.setattr(Orders, "give", refuse)
    assert desk.erase(ADA)[0] == 1
    assert desk.found(ADA) == ["predictions_2026-01-31"]


def test_nobody_is_not_a_person(desk: Desk) -> None:
    code, _, error = desk.erase("")
    assert (code, "the entity is empty" in error) == (2, True)


@pytest.mark.parametrize(("data", "found"), [
    (b'{"entity":"ada"}', True), (b'{"entity": "ad\\u0061"}', True), (b'{"entity":"ada"', True), (b'\xff"ada"', True),
    (b'{"entity":"adam"}', False), (b'{"event_id":"ada"}', False), (b'["ada"]', False), (b"ada", False), (b"", False),
    (None, False)])
def test_bytes_name_a_person_by_their_entity_or_where_they_cannot_be_read_by_the_quoted_name(
        data: bytes | None, found: bool) -> None:
    assert names("ada", data) is found


def test_a_dead_letter_is_known_by_the_key_of_its_event_too() -> None:
    def dead(raw: bytes | None, key: bytes | None) -> bytes:
        return encode(DeadLetter(source="s", reason="empty", detail="", raw=raw, raw_key=key, record_ts=1,
                                 last_offset=1))

    assert letter_names("ada", dead(None, b"ada"))
    assert letter_names("ada", dead(b"\x00avro", b"ada"))
    assert not letter_names("ada", dead(b"\x00avro", b"adam"))
    assert letter_names("ada", b'{"entity":"ada"}')


def test_what_comes_after_an_erasure_is_new(desk: Desk) -> None:
    desk.record("predictions", prediction(0, ADA))
    desk.erase(ADA)
    desk.record("predictions", prediction(9, ADA))
    assert desk.rows("select source from {}.latest_predictions") == [("T-0-9",)]
