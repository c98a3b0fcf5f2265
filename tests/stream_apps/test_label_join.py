"""Each pair of prediction and label enters the training log once, in one order, whatever comes first."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from faust.types import TP

from schemas.codec import decode, encode
from schemas.messages import Label, LabelledEvent, LabelValue, Model, Prediction
from schemas.pipeline import Pipeline, parse_pipeline
from stream_apps.label_join import Connection, LabelJoin
from stream_apps.label_states import StoredLabel
from stream_apps.labels import LabelAgent
from stream_apps.migrations.migrate import migrate
from stream_apps.record import Recorder
from stream_apps.storage import Storage
from tests.stream_apps.fakes import Cable, FakeApp, FakeDelivery, FakeStream
from tests.tiny import FakeRecord, definition

PARTITIONS = range(4)


@dataclass(kw_only=True)
class Desk:
    """A join with its predictions, on a schema of its own."""

    pipeline: Pipeline
    url: str
    storage: Storage
    join: LabelJoin
    recorder: Recorder

    async def predict(self, *predictions: bytes) -> None:
        records = [FakeRecord(offset=k, timestamp=1, value=value) for k, value in enumerate(predictions)]
        await self.recorder.record(FakeStream((f"{self.pipeline.name}.predictions", 0, records)))

    async def emitted(self) -> list[LabelledEvent]:
        """What the label service would write now."""
        found: list[LabelledEvent] = []
        await self.join.ripen(PARTITIONS)
        while (due := await self.join.due())[0]:
            await self.join.mark_emitted(due[0])
            found += due[0]
        return found


@asynccontextmanager
async def opened(url: str, schema: str, task: str = "binary", keys: str = "") -> AsyncIterator[Desk]:
    pipeline = parse_pipeline(definition(schema, task).replace("[windows]", f"{keys}\n[windows]", 1), "tiny.toml")
    await asyncio.to_thread(migrate, url, schema)  # a cable to PostgreSQL runs in this loop
    storage = Storage(url, schema)
    recorder = Recorder(pipeline, storage, FakeApp(), FakeDelivery())  # type: ignore[arg-type]
    try:
        yield Desk(pipeline=pipeline, url=url, storage=storage, join=LabelJoin(storage, pipeline.pipeline),
                   recorder=recorder)
    finally:
        await storage.aclose()


Scenario = Callable[[Desk], Awaitable[None]]
Play = Callable[..., None]


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    name = f"t{uuid4().hex[:10]}"
    yield name
    with psycopg.connect(database_url) as connection:
        connection.execute(f'drop schema if exists "{name}" cascade'.encode())


@pytest.fixture
def play(database_url: str, schema: str) -> Play:
    def run(scenario: Scenario, task: str = "binary", keys: str = "") -> None:
        async def with_desk() -> None:
            async with opened(database_url, schema, task, keys) as desk:
                await scenario(desk)

        asyncio.run(with_desk())

    return run


def prediction(event_id: str, ts: int = 5, partition: int = 0, offset: int = 0, label: LabelValue = "yes") -> bytes:
    return encode(Prediction(
        event_id=event_id, entity="x", ts=ts, source=f"T-{partition}-{offset}", source_day="2026-01-31",
        pipeline_digest="d", model=Model(version="1", digest="m", epoch=0), prediction=label, score=0.75,
        probabilities=None if isinstance(label, float) else [0.25, 0.75], features=[1.5, None, "x"], scored_at=7))


def label(event_id: str, value: LabelValue = "yes", revision: int = 0, block: tuple[int, int] | None = None,
          ts: int = 9, partition: int = 0) -> StoredLabel:
    number, size = block or (None, None)
    return StoredLabel(entity="x", event_id=event_id, ts=ts, label=value, revision=revision, labeller="ada",
                       partition=partition, block=number, block_size=size)


def ids(events: list[LabelledEvent]) -> list[str]:
    return [event.event_id for event in events]


def test_a_pair_carries_what_was_scored_and_what_was_true(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e", ts=5, partition=1, offset=7))
        await desk.join.store([label("e", "no", revision=2)])
        assert await desk.emitted() == [LabelledEvent(
            event_id="e", entity="x", ts=5, source="T-1-7", pipeline_digest="d", features=[1.5, None, "x"], label="no",
            revision=2, labelled_ts=9, model=Model(version="1", digest="m", epoch=0), prediction="yes", score=0.75,
            probabilities=[0.25, 0.75], labeller="ada")]

    play(scenario)


def test_a_regression_pair_carries_numbers(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e", label=0.1))
        await desk.join.store([label("e", 1e-9)])
        event, = await desk.emitted()
        assert (event.label, event.prediction, event.probabilities) == (1e-9, 0.1, None)

    play(scenario, "regression")


def test_a_label_before_its_prediction_waits_for_it(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.join.store([label("e")])
        assert await desk.emitted() == []
        assert await desk.join.waiting() == 1
        await desk.predict(prediction("e"))
        assert ids(await desk.emitted()) == ["e"]
        assert await desk.join.waiting() == 0

    play(scenario)


def test_a_duplicate_or_an_older_revision_emits_nothing_and_a_higher_one_emits_again(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e"))
        await desk.join.store([label("e", "no", 1)])
        assert [(e.label, e.revision) for e in await desk.emitted()] == [("no", 1)]
        states = await desk.join.store([label("e", "no", 1), label("e", "yes", 0)])
        assert states == {"duplicate": 1, "outdated": 1}
        assert await desk.emitted() == []
        await desk.join.store([label("e", "yes", 3), label("e", "late", 2)])
        assert [(e.label, e.revision) for e in await desk.emitted()] == [("yes", 3)]

    play(scenario)


def flags(events: list[LabelledEvent]) -> list[tuple[LabelValue, int, bool]]:
    return [(event.label, event.revision, event.conflict) for event in events]


@pytest.mark.parametrize("emitted_before", [True, False])
def test_a_conflict_is_emitted_as_one_and_a_revision_settles_it(play: Play, emitted_before: bool) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e"))
        await desk.join.store([label("e", "no")])
        if emitted_before:
            assert flags(await desk.emitted()) == [("no", 0, False)]
        assert await desk.join.store([label("e", "yes"), label("e", "no")]) == {"conflict": 1, "duplicate": 1}
        assert flags(await desk.emitted()) == [("no", 0, True)]
        assert await desk.join.store([label("e", "third")]) == {"conflict": 1}
        assert await desk.emitted() == []
        await desk.join.store([label("e", "yes", 1)])
        assert flags(await desk.emitted()) == [("yes", 1, False)]

    play(scenario)


def test_a_conflict_that_arrives_while_the_label_is_written_is_not_lost(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e"))
        await desk.join.store([label("e", "no")])
        pairs, _ = await desk.join.due()
        await desk.join.store([label("e", "yes")])
        await desk.join.mark_emitted(pairs)
        assert flags(await desk.emitted()) == [("no", 0, True)]

    play(scenario)


def test_a_conflict_with_a_label_of_a_block_holds_up_no_block(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(*(prediction(e, k, offset=k) for k, e in enumerate("abc")))
        await desk.join.store([label("a", block=(0, 2)), label("a", "no", block=(0, 2)), label("b", block=(0, 2))])
        assert [(e.event_id, e.conflict) for e in await desk.emitted()] == [("a", True), ("b", False)]
        await desk.join.store([label("b", "no", block=(0, 2)), label("c", block=(1, 1))])
        assert [(e.event_id, e.conflict) for e in await desk.emitted()] == [("b", True), ("c", False)]

    play(scenario)


class Stopped(LabelJoin):
    """A worker that is stopped after it has read what is kept; its successor stores meanwhile."""

    def __init__(self, storage: Storage, desk: Desk, later: StoredLabel) -> None:
        super().__init__(storage, desk.pipeline.pipeline)
        self._desk, self._later = desk, later

    async def _kept(self, connection: Connection, labels: Sequence[StoredLabel]) -> dict[tuple[str, str], StoredLabel]:
        kept = await super()._kept(connection, labels)
        await self._desk.join.store([*labels, self._later])
        return kept


@pytest.mark.parametrize("later", [label("e", "no", revision=1), label("e", "no")])
def test_a_worker_that_comes_again_behind_its_successor_sets_nothing_back(play: Play, later: StoredLabel) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e"))
        storage = Storage(desk.url, desk.pipeline.name)
        await Stopped(storage, desk, later).store([label("e")])
        await storage.aclose()
        (event,) = await desk.emitted()
        assert (event.revision, event.conflict) == (later.revision, not later.revision)

    play(scenario)


def test_numbers_that_are_equal_are_no_conflict(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.join.store([label("e", 1e300)]) == {"new": 1}
        assert await desk.join.store([label("e", 1e300), label("e", 2.0)]) == {"duplicate": 1, "conflict": 1}

    play(scenario, "regression")


def test_a_label_expires_when_its_own_partition_has_passed_its_horizon_without_the_event(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.join.store([label("never", ts=100), label("other", ts=100, partition=1), label("e", ts=100)])
        await desk.predict(prediction("e", 90), prediction("f", 1_100, offset=1))
        assert await desk.join.ripen(PARTITIONS) == (0, 0)
        await desk.predict(prediction("g", 1_101, offset=2))
        assert await desk.join.ripen(PARTITIONS) == (0, 1)
        assert ids(await desk.emitted()) == ["e"]
        assert await desk.join.waiting() == 1
        await desk.predict(prediction("never", 99, offset=3))
        assert await desk.emitted() == []
        assert await desk.join.store([label("never", revision=1, ts=1_200)]) == {"revision": 1}
        assert ids(await desk.emitted()) == ["never"]

    play(scenario, keys='label_horizon = "1s"')


SILENCE = 'unlabelled_after = "1s -> no"'


def test_silence_becomes_the_label_once_and_a_later_label_supersedes_it(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("silent", 5), prediction("now", 1_004, offset=1))
        assert await desk.emitted() == []
        await desk.predict(prediction("later", 1_005, offset=2), prediction("elsewhere", 5_000, 1))
        silent, = await desk.emitted()
        assert (silent.event_id, silent.label, silent.revision, silent.implicit, silent.labelled_ts) == (
            "silent", "no", -1, True, 1_005)
        await desk.predict(prediction("silent", 5))  # the recorder reads again
        assert await desk.emitted() == []
        assert await desk.join.store([label("silent", "no")]) == {"revision": 1}
        late, = await desk.emitted()
        assert (late.revision, late.implicit, late.labeller) == (0, False, "ada")

    play(scenario, keys=SILENCE)


def test_nobody_is_silent_while_labels_of_the_partition_wait_to_be_read(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        app = FakeApp(assigned={TP(f"{desk.pipeline.name}.labels", 0)}, caught_up=False)
        agent = LabelAgent(desk.pipeline, app, desk.join, FakeDelivery())  # type: ignore[arg-type]
        await desk.predict(prediction("said", 5), prediction("silent", 5, offset=1), prediction("now", 5_000, offset=2))
        await store(agent, desk, "said")  # of long ago: more must wait behind it
        await agent._ripen()
        assert await desk.join.due() == ([], False)
        app.caught_up = True
        await agent._ripen()
        found, _ = await desk.join.due()
        assert {(e.event_id, e.implicit) for e in found} == {("said", False), ("silent", True)}

    play(scenario, keys=SILENCE)


def test_a_block_whose_labels_wait_neither_expires_nor_holds_up_what_silence_says(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.join.store([label("a", block=(0, 2))])
        await desk.predict(prediction("silent", 5), prediction("now", 5_000, offset=1))
        assert [e.event_id for e in await desk.emitted()] == ["silent"]
        await desk.join.store([label("b", block=(0, 2))])
        await desk.predict(prediction("a", 6, offset=2), prediction("b", 7, offset=3))
        assert ids(await desk.emitted()) == ["a", "b"]

    play(scenario, keys=SILENCE + '\nlabel_horizon = "1s"')


def test_where_silence_is_an_answer_a_label_waits_until_its_event_is_old_enough(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.join.store([label("early", "yes")])
        await desk.predict(prediction("early", 5), prediction("quick", 6, offset=1), prediction("x", 1_004, offset=2))
        await desk.join.store([label("quick", "yes"), label("block", "yes", block=(0, 1))])
        await desk.predict(prediction("block", 7, offset=3))
        assert ids(await desk.emitted()) == ["block"]  # every event of a block has its label
        await desk.predict(prediction("y", 1_006, offset=4))
        assert [(e.event_id, e.label, e.implicit) for e in await desk.emitted()] == [
            ("early", "yes", False), ("quick", "yes", False)]

    play(scenario, keys=SILENCE)


def test_predictions_from_before_silence_was_an_answer_take_their_labels_at_once(
        database_url: str, schema: str) -> None:
    async def scenario() -> None:
        async with opened(database_url, schema) as desk:
            await desk.predict(prediction("old"))
        async with opened(database_url, schema, keys=SILENCE) as desk:
            await desk.join.store([label("old", "yes")])
            assert ids(await desk.emitted()) == ["old"]

    asyncio.run(scenario())


def test_coverage_is_the_labelled_share_of_predictions_that_are_older_than_the_horizon(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        assert await desk.join.coverage() is None
        await desk.predict(*(prediction(f"e{k}", 100 * k, offset=k) for k in range(30)))
        await desk.predict(prediction("e3", 300, offset=3))  # read again
        await desk.join.store([label(f"e{k}") for k in (0, 1, 2, 25)])
        await desk.emitted()
        await desk.join.store([label("e1", "no", 1)])
        await desk.emitted()
        assert await desk.join.coverage() == 3 / 19  # of spans of 125 ms that ended by 1900: e0 to e18

    play(scenario, keys='label_horizon = "1s"')


def test_a_label_joins_the_lowest_source_of_its_event_and_is_emitted_once(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e", partition=1, offset=2), prediction("e", partition=0, offset=10),
                           prediction("e", partition=0, offset=9))
        await desk.join.store([label("e")])
        assert [e.source for e in await desk.emitted()] == ["T-0-9"]
        await desk.predict(prediction("e", partition=0, offset=1))
        assert await desk.emitted() == []

    play(scenario)


def test_pairs_come_in_the_order_of_time_partition_and_offset(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        places = [("a", 3, 0, 11), ("b", 1, 1, 0), ("c", 1, 0, 10), ("d", 1, 0, 9), ("e", 2, 1, 1)]
        await desk.predict(*(prediction(e, t, p, o) for e, t, p, o in places))
        await desk.join.store([label(e) for e, *_ in places])
        assert ids(await desk.emitted()) == ["d", "c", "b", "e", "a"]

    play(scenario)


def test_a_block_is_emitted_whole_and_after_the_blocks_before_it(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("a", 1, offset=1), prediction("c", 3, offset=3), prediction("d", 0, offset=4))
        await desk.join.store([label("d", block=(1, 1)), label("a", block=(0, 3)), label("c", block=(0, 3))])
        assert await desk.join.due() == ([], True)
        await desk.join.store([label("b", block=(0, 3))])
        assert await desk.join.due() == ([], True)
        await desk.predict(prediction("b", 2, offset=2))
        pairs, _ = await desk.join.due()
        assert ids(pairs) == ["a", "b", "c"]
        await desk.join.mark_emitted(pairs)
        assert ids(await desk.emitted()) == ["d"]
        assert await desk.join.due() == ([], False)

    play(scenario)


def test_a_pair_that_kafka_has_not_confirmed_is_due_again(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e"))
        await desk.join.store([label("e")])
        assert ids((await desk.join.due())[0]) == ["e"]
        assert ids((await desk.join.due())[0]) == ["e"]

    play(scenario)


def test_a_revision_that_arrives_while_the_older_one_is_written_is_not_lost(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.predict(prediction("e"))
        await desk.join.store([label("e", "no", 0)])
        pairs, _ = await desk.join.due()
        await desk.join.store([label("e", "yes", 1)])
        await desk.join.mark_emitted(pairs)
        assert [e.revision for e in await desk.emitted()] == [1]

    play(scenario)


def label_record(offset: int, value: bytes, block: bytes | None = None) -> FakeRecord:
    return FakeRecord(offset=offset, timestamp=1, value=value, headers=[("block", block)] if block else [])


def test_a_label_that_does_not_fit_costs_only_itself(play: Play) -> None:
    async def scenario(desk: Desk) -> None:
        app = FakeApp()
        agent = LabelAgent(desk.pipeline, app, desk.join, FakeDelivery())  # type: ignore[arg-type]
        good = encode(Label(event_id="good", entity="x", ts=1, label=1.0))
        bad = [b"", b"{", b"\xff", b'{"x":' + b"[" * 9_999, encode(Label(event_id="\x00", entity="x", ts=1, label="a")),
               encode(Label(event_id="v", entity="x", ts=1, label="\x00")), encode(Label(
                   event_id="t", entity="x", ts=2**70, label="a")), encode(Label(
                       event_id="r", entity="x", ts=1, label="a", revision=2**40)),
               encode(Label(event_id="i", entity=random.Random(1).randbytes(10_000).hex(), ts=1, label="a"))]
        records = [label_record(k, value) for k, value in enumerate([*bad, good])]
        misplaced = encode(Label(event_id="b", entity="x", ts=1, label="a"))
        records += [label_record(97, misplaced, b"1/-1"), label_record(98, misplaced, b"one/of many"),
                    label_record(99, misplaced)]
        records[-1].headers = [("block", None)]  # type: ignore[list-item]  # what Kafka makes of a header without a value
        await agent.store(FakeStream((f"{desk.pipeline.name}.labels", 0, records)))
        await desk.predict(prediction("good"))
        assert [(e.event_id, e.label) for e in await desk.emitted()] == [("good", "1")]
        assert len(app.completed) == 1
        with psycopg.connect(desk.url) as connection:
            refused = connection.execute(
                f'select position, reason, value from "{desk.pipeline.name}".refused order by position'.encode()
            ).fetchall()
        assert [(position, value) for position, _, value in refused] == [
            (r.offset, r.value) for r in records if r.value != good]
        reasons = [reason.partition(":")[0] for _, reason, _ in refused]
        assert reasons == ["empty", "malformed", "malformed", "malformed", *["storage"] * 5, *["invalid"] * 3]
        for reason in set(reasons):
            assert agent.metrics.refused.labels(reason)._value.get() == reasons.count(reason)

    play(scenario)


def test_while_postgresql_is_away_work_waits_and_then_goes_on(database_url: str, schema: str) -> None:
    async def scenario() -> None:
        cable = Cable(database_url)
        await cable.mend()
        async with opened(cable.url, schema) as desk:
            app, delivery = FakeApp(), FakeDelivery()
            agent = LabelAgent(desk.pipeline, app, desk.join, delivery)  # type: ignore[arg-type]
            emitting = asyncio.ensure_future(agent.emit())
            await desk.predict(*(prediction(f"e{k}", ts=k, offset=k) for k in range(3)))
            await store(agent, desk, "e0")
            await arrived(delivery, 1)
            await cable.cut()
            storing = asyncio.ensure_future(store(agent, desk, "e1", "e2"))
            while desk.storage.available:  # noqa: ASYNC110 - the storage has no event to wait for
                await asyncio.sleep(0.01)
            assert (len(app.completed), len(delivery.sent)) == (1, 1)
            await cable.mend()
            await storing
            await arrived(delivery, 3)
            assert [decode(r.value or b"", LabelledEvent).event_id for r in delivery.sent] == ["e0", "e1", "e2"]
            assert len(app.completed) == 2
            emitting.cancel()
        await cable.cut()

    asyncio.run(asyncio.wait_for(scenario(), 60))


async def store(agent: LabelAgent, desk: Desk, *events: str) -> None:
    records = [label_record(k, encode(Label(event_id=event, entity="x", ts=1, label="a")))
               for k, event in enumerate(events)]
    await agent.store(FakeStream((f"{desk.pipeline.name}.labels", 0, records)))


async def arrived(delivery: FakeDelivery, count: int) -> None:
    while len(delivery.sent) < count:
        delivery.arrived.clear()
        await delivery.arrived.wait()
