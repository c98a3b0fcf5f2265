"""Predictions in PostgreSQL: the highest epoch counts, a replay changes nothing, one bad row costs only itself."""

import asyncio
import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest

from schemas.codec import encode
from schemas.messages import Model, Prediction
from schemas.pipeline import Pipeline, parse_pipeline
from stream_apps.migrations.migrate import migrate
from stream_apps.record import Recorder
from stream_apps.storage import Storage
from tests.stream_apps.fakes import FakeApp, FakeDelivery, FakeStream
from tests.tiny import FakeRecord, definition


class Desk:
    """A recorder on a schema of its own, and a look into it."""

    def __init__(self, database_url: str, pipeline: Pipeline) -> None:
        self.name = pipeline.name
        migrate(database_url, pipeline.name)
        self._url = database_url
        self.app = FakeApp()
        self.storage = Storage(database_url, pipeline.name)
        self.delivery = FakeDelivery()
        self.recorder = Recorder(pipeline, self.storage, self.app, self.delivery)  # type: ignore[arg-type]

    def record(self, *values: bytes | None, topic: str = "predictions", first: int = 0, timestamp: int = 1) -> None:
        records = [FakeRecord(offset=first + k, timestamp=timestamp, value=value, key=b"k")
                   for k, value in enumerate(values)]
        before = len(self.app.completed)

        async def run() -> None:
            await self.recorder.record(FakeStream((f"{self.name}.{topic}", 0, records)))
            await self.storage.aclose()

        asyncio.run(run())
        assert len(self.app.completed) == before + 1

    def rows(self, columns: str, table: str = "predictions") -> list[tuple[Any, ...]]:
        return self.execute(f"select {columns} from {{}}.{table} order by 1")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            done = connection.execute(statement.replace("{}", f'"{self.name}"').encode())
            return done.fetchall() if done.description else []


RETENTION = """
[retention]
tables = "3d"
"""


@pytest.fixture
def desk(database_url: str, request: pytest.FixtureRequest) -> Iterator[Desk]:
    name = f"t{uuid4().hex[:10]}"
    keys = getattr(request, "param", "")
    text = definition(name).replace("[windows]", 'label_horizon = "1d"\n[windows]', 1) + keys
    desk = Desk(database_url, parse_pipeline(text, "tiny.toml"))
    yield desk
    with psycopg.connect(database_url) as connection:
        connection.execute(f'drop schema if exists "{name}" cascade'.encode())


def prediction(offset: int, epoch: int = 0, **changes: Any) -> bytes:
    model = Model(version=str(epoch + 1), digest="m", epoch=epoch)
    return encode(msgspec.structs.replace(Prediction(
        event_id=f"e{offset}", entity="x", ts=5, source=f"T-1-{offset}", source_day="2026-01-31", pipeline_digest="d",
        model=model, prediction="yes", score=0.75, probabilities=[0.25, 0.75], features=[1.5, None, "x"],
        scored_at=7), **changes))


def test_a_prediction_is_stored_as_it_was_said(desk: Desk) -> None:
    desk.record(prediction(3), prediction(4, prediction=1.5, probabilities=None, answered_epoch=40))
    assert desk.rows("source, source_day::text, partition, position, event_id, entity, ts, pipeline_digest, "
                     "model_version, model_epoch, prediction, score, probabilities, features, scored_at, "
                     "answered_epoch") == [
        ("T-1-3", "2026-01-31", 1, 3, "e3", "x", 5, "d", "1", 0, "yes", 0.75, [0.25, 0.75], [1.5, None, "x"], 7, None),
        ("T-1-4", "2026-01-31", 1, 4, "e4", "x", 5, "d", "1", 0, "1.5", 0.75, None, [1.5, None, "x"], 7, 40)]


def test_of_several_predictions_of_a_source_the_highest_epoch_counts_in_any_order(desk: Desk) -> None:
    desk.record(prediction(1, 2), prediction(1, 9), prediction(1, 4), prediction(2, 4), prediction(3, 9))
    desk.record(prediction(1, 3), prediction(2, 5), prediction(3, 8))
    assert desk.rows("source, model_epoch, model_version") == [
        ("T-1-1", 9, "10"), ("T-1-2", 5, "6"), ("T-1-3", 9, "10")]


def test_a_replay_changes_nothing(desk: Desk) -> None:
    chunk = [prediction(k, k % 2) for k in range(20)]
    desk.record(*chunk)
    before = desk.rows("*")
    desk.record(*chunk[5:])
    desk.record(*(prediction(k, k % 2, scored_at=99) for k in range(20)))
    assert desk.rows("*") == before


@pytest.mark.parametrize("bad", [
    prediction(1, event_id="a\x00b"), prediction(1, features=["\x00"]), prediction(1, ts=2**70),
    prediction(1, source="no source"), prediction(1, source_day="someday"), b"{", b"\xff", None,
    prediction(1).replace(b'"score":0.75', b'"score":null'),
    prediction(1, entity=random.Random(1).randbytes(10_000).hex()),
], ids=["nul", "nul in a feature", "time too large", "source", "day", "malformed", "not utf-8", "nothing", "no score",
        "entity too long for an index"])
def test_one_bad_row_costs_only_itself_even_as_the_first_of_its_day(desk: Desk, bad: bytes | None) -> None:
    desk.record(prediction(0), bad, prediction(2))
    assert desk.rows("source") == [("T-1-0",), ("T-1-2",)]
    refused = desk.rows("position, topic, value, reason", "refused")
    assert [row[:3] for row in refused] == [(1, f"{desk.name}.predictions", bad)]
    assert refused[0][3]
    desk.record(prediction(0), bad, prediction(2))
    assert len(desk.rows("position", "refused")) == 1


def on(day: str, offset: int, **changes: Any) -> bytes:
    return prediction(offset, source_day=f"2026-01-{day}", **changes)


def days(desk: Desk, table: str = "predictions") -> list[str]:
    found = desk.execute(f"select tablename from pg_tables where schemaname = '{desk.name}' and tablename like "
                         f"'{table}\\_%' order by 1")
    return [name.removeprefix(f"{table}_2026-01-") for (name,) in found]


@pytest.mark.parametrize("desk", [RETENTION], indirect=True)
def test_the_newest_day_drops_whole_days_with_their_labels_and_a_replay_keeps_the_same(desk: Desk) -> None:
    desk.record(on("05", 0), on("05", 1), on("06", 2), on("07", 3), on("07", 4, event_id="e1"))
    for event in ("e0", "e1", "e2", "e3", "never"):
        desk.execute("insert into {}.labels (entity, event_id, ts, label, revision, labeller, partition, expired) "
                     f"values ('x', '{event}', -172800000, '\"yes\"', 0, '', 1, {event == 'never'})")
    assert days(desk) == ["05", "06", "07"]
    desk.record(on("08", 5))
    assert days(desk) == ["06", "07", "08"]
    assert desk.rows("event_id", "labels") == [("e1",), ("e2",), ("e3",), ("never",)]  # e1 came again on a kept day
    desk.record(on("10", 6, ts=3 * 86_400_000))
    left = (desk.rows("source"), desk.rows("event_id", "labels"))
    assert left == ([("T-1-5",), ("T-1-6",)], [("never",)])  # its day in event time is known when the next one comes
    desk.record(on("05", 0), on("06", 2), on("09", 9), on("05", 7), on("10", 6))
    desk.record(on("07", 3))
    assert days(desk) == ["08", "09", "10"]
    assert desk.rows("source") == [("T-1-5",), ("T-1-6",), ("T-1-9",)]
    assert desk.rows("event_id", "labels") == []
    assert desk.recorder.metrics.expired._value.get() == 4
    assert desk.rows("first::text, newest::text", "kept_days") == [("2026-01-08", "2026-01-10")]


@pytest.mark.parametrize("desk", [RETENTION], indirect=True)
def test_messages_and_what_was_refused_go_with_the_day_of_their_record(desk: Desk) -> None:
    day = 86_400_000
    desk.record(b"{", first=1)  # refused
    desk.record(b"one", topic="drift-stats", first=1)
    desk.record(b"four", topic="drift-stats", first=4, timestamp=4 * day)
    assert desk.rows("value", "messages") == [(b"four",)]
    assert desk.rows("position", "refused") == []
    desk.record(b"one", topic="drift-stats", first=1)
    assert desk.rows("value", "messages") == [(b"four",)]


def test_where_nothing_is_said_of_retention_every_day_stays(desk: Desk) -> None:
    desk.record(on("01", 0), on("31", 1))
    desk.record(on("01", 2))
    assert [row[0] for row in desk.rows("source")] == ["T-1-0", "T-1-1", "T-1-2"]


def test_each_day_of_source_records_has_a_partition_of_its_own(desk: Desk) -> None:
    desk.record(prediction(1, source_day="2026-02-28"), prediction(2, source_day="2026-03-01"),
                prediction(3, source_day="2026-02-28"))
    assert desk.rows("tableoid::regclass::text, count(*)", "predictions group by 1") == [
        (f'{desk.name}."predictions_2026-02-28"', 2), (f'{desk.name}."predictions_2026-03-01"', 1)]


def test_every_other_message_is_kept_byte_for_byte_and_once(desk: Desk) -> None:
    desk.record(b"\xff\x00{", None, topic="drift-stats")
    desk.record(b"\xff\x00{", None, b"next", topic="drift-stats")
    assert desk.rows("position, topic, key, value", "messages") == [
        (k, f"{desk.name}.drift-stats", b"k", value) for k, value in enumerate([b"\xff\x00{", None, b"next"])]
