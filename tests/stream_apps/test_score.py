"""A chunk enters the windows and the covered offset in one step, and only while it belongs to this assignment."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from msgspec.structs import replace

from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import DeadLetter, Prediction, ScoreState
from schemas.topics import SCORE_STATE
from stream_apps import score
from stream_apps.checkpoints import Standing
from stream_apps.crash_file import Range
from stream_apps.score import MAX_UNDELIVERED, PART_ROWS, ScoreAgent
from stream_apps.settings import ServiceSettings
from telemetry.endpoint import Endpoint
from tests.stream_apps.fakes import FakeApp, FakeDelivery, FakeStream
from tests.tiny import FakeRecord, event_bytes, serving, tiny_model, tiny_pipeline

WALL = 1_700_000_000_000


class Owner(FakeApp):
    """An application whose partitions may be revoked."""

    owns = True

    @property
    def consumer(self) -> Any:
        return SimpleNamespace(complete=self.completed.append, current=lambda _message: self.owns,
                               caught_up=lambda _partition: True)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScoreAgent:
    monkeypatch.setattr(score, "topic_id", lambda *_: "T")
    settings = ServiceSettings(pipeline=Path("tiny.toml"), kafka=KafkaAccess(servers="none:1"), instance="0",
                               metrics=Endpoint(), state=tmp_path)
    agent = ScoreAgent(tiny_pipeline(), settings, Owner(), FakeDelivery())  # type: ignore[arg-type]
    agent._partitions = {0: agent._restore(0, Standing(first=0, state=None, predicted=0))}
    return agent


def chunk(first: int) -> Any:
    records = [FakeRecord(offset=first, timestamp=WALL, value=event_bytes(f"e{first}", WALL))]
    return SimpleNamespace(partition=0, first=first, end=first + 1, take=lambda: records)


def states(agent: ScoreAgent) -> list[ScoreState]:
    sent: Any = agent._delivery
    return [decode(r.value, ScoreState) for r in sent.sent if r.topic.endswith(SCORE_STATE.name)]


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(scenario(), 20)

    asyncio.run(limited())


async def turns() -> None:
    """Let everything go as far as it can, the executor's work included."""
    for _ in range(20):
        await asyncio.get_running_loop().run_in_executor(None, int)


def test_a_checkpoint_never_holds_counts_beyond_its_covered_offset(agent: ScoreAgent) -> None:
    async def scenario() -> None:
        agent.follower.current = serving(tiny_model())
        partition = agent._partitions[0]
        for _ in range(MAX_UNDELIVERED):
            await agent._room.acquire()
        scoring = asyncio.ensure_future(agent._score_chunk(partition, chunk(0)))
        await turns()
        await partition.checkpoint()
        assert not scoring.done()
        agent._room.release()
        await scoring
        await partition.checkpoint()
        assert [(s.covered, sum(w.rows for w in s.windows)) for s in states(agent)[-2:]] == [(0, 0), (1, 1)]

    play(scenario)


def test_a_chunk_that_was_revoked_while_it_was_scored_touches_nothing(agent: ScoreAgent) -> None:
    async def scenario() -> None:
        agent.follower.current = serving(tiny_model())
        partition, app = agent._partitions[0], agent._app
        assert isinstance(app, Owner)
        for _ in range(MAX_UNDELIVERED):
            await agent._room.acquire()
        scoring = asyncio.ensure_future(agent._score_chunk(partition, chunk(0)))
        await turns()
        app.owns = False
        agent._room.release()
        await scoring
        assert (partition.covered, partition.waiting, partition.windows.snapshot()) == (0, 0, [])
        await agent._room.acquire()

    play(scenario)


def test_a_chunk_that_waited_for_the_first_model_and_was_revoked_writes_no_checkpoint(agent: ScoreAgent) -> None:
    async def scenario() -> None:
        app = agent._app
        assert isinstance(app, Owner)
        scoring = asyncio.ensure_future(agent.score(FakeStream(("tiny.events", 0, chunk(0).take()))))
        await turns()
        app.owns = False
        agent.follower.current = serving(tiny_model())
        async with agent.follower._news:
            agent.follower._news.notify_all()
        await scoring
        assert states(agent) == []

    play(scenario)


def test_the_error_of_one_part_of_a_chunk_comes_up_when_the_other_has_ended(
        agent: ScoreAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    ended: list[int] = []

    def scored(part: list[int], *_: object) -> None:
        if part[0] == 0:
            raise RuntimeError("the first part")
        may_end.wait()
        ended.append(len(part))

    async def scenario() -> None:
        monkeypatch.setattr(agent._scorer, "run", scored)
        rows, slots = Range("T", 0, 0, PART_ROWS + 1), serving(tiny_model())
        scoring = asyncio.ensure_future(agent._scored(0, rows, slots, range(PART_ROWS + 1)))
        try:
            await turns()
            assert not scoring.done()
        finally:
            may_end.set()
        with pytest.raises(RuntimeError, match="the first part"):
            await scoring
        assert ended == [1]

    play(scenario)


def test_a_log_that_begins_later_is_covered_from_there(agent: ScoreAgent) -> None:
    async def scenario() -> None:
        agent._partitions[0] = partition = agent._restore(0, Standing(first=500, state=None, predicted=0))
        agent.follower.current = serving(tiny_model())
        await agent._tend(partition, due=False, now=0.0)
        await agent._score_chunk(partition, chunk(500))
        await partition.checkpoint()
        assert [(s.covered, s.epoch) for s in states(agent)] == [(500, 0), (501, 0)]

    play(scenario)


def test_reading_resumes_at_the_checkpoint_and_without_one_at_0_so_that_what_expired_is_told(
        agent: ScoreAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = SimpleNamespace(assignment=lambda: {TP("tiny.events", 0), TP("tiny.events", 1)}, resume_at={},
                               complete=None)
    state = ScoreState(partition=1, covered=700, epoch=0, watermark=None, windows=[], late_rows=0, paused=False)

    async def read(*_: object) -> dict[int, Standing]:
        return {0: Standing(first=500, state=None, predicted=0), 1: Standing(first=500, state=state, predicted=0)}

    monkeypatch.setattr(score, "read_standings", read)
    monkeypatch.setattr(agent, "_app", SimpleNamespace(consumer=consumer))
    play(agent.assigned)
    assert consumer.resume_at == {TP("tiny.events", 0): 0, TP("tiny.events", 1): 700}
    assert {p: partition.covered for p, partition in agent._partitions.items()} == {0: 500, 1: 700}


def test_what_expired_is_counted_by_records_and_told_by_ranges(agent: ScoreAgent) -> None:
    sent: Any = agent._delivery
    play(lambda: agent.expired(TP("tiny.events", 0), 500, 700))
    assert agent.metrics.dead.labels("expired")._value.get() == 200
    assert [decode(letter.value, DeadLetter).last_offset for letter in sent.sent] == [699]


def test_the_delay_of_a_chunk_is_that_of_its_oldest_event_which_need_not_be_the_first(agent: ScoreAgent) -> None:
    async def scenario() -> None:
        agent.follower.current = serving(tiny_model())
        partition, began = agent._partitions[0], time.time()
        sent = [FakeRecord(offset=offset, timestamp=at, value=event_bytes(f"e{offset}", at))
                for offset, at in enumerate((WALL, WALL - 60_000, WALL + 1_000))]
        await agent._score_chunk(partition, SimpleNamespace(partition=0, first=0, end=3, take=lambda: sent))
        unreadable = [FakeRecord(offset=3, timestamp=WALL, value=b"{")]
        await agent._score_chunk(partition, SimpleNamespace(partition=0, first=3, end=4, take=lambda: unreadable))
        await partition.checkpoint()
        await turns()
        (delay,) = [sample.value for family in agent.metrics.delay.collect() for sample in family.samples
                    if sample.name.endswith("_sum")]
        assert began - WALL / 1_000 + 60 <= delay < began - WALL / 1_000 + 120

    play(scenario)


def test_a_new_owner_says_so_before_it_scores(agent: ScoreAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = SimpleNamespace(assignment=lambda: {TP("tiny.events", 1)}, resume_at={}, complete=None)
    state = ScoreState(partition=1, covered=700, epoch=3, watermark=None, windows=[], late_rows=0, paused=False, term=4)

    async def read(*_: object) -> dict[int, Standing]:
        return {1: Standing(first=500, state=state, predicted=0)}

    monkeypatch.setattr(score, "read_standings", read)
    monkeypatch.setattr(agent, "_app", SimpleNamespace(consumer=consumer))
    play(agent.assigned)
    assert states(agent) == [replace(state, term=5)]


def test_a_partition_never_goes_back_to_an_older_model(agent: ScoreAgent) -> None:
    async def scenario() -> None:
        old, new = tiny_model(), tiny_model(weight=2.0, epoch=5)
        agent.follower.current = serving(old)
        state = ScoreState(partition=0, covered=3, epoch=5, watermark=None, windows=[], late_rows=0, paused=False)
        agent._partitions[0] = partition = agent._restore(0, Standing(first=0, state=state, predicted=3))
        await agent._tend(partition, due=False, now=0.0)
        scoring = asyncio.ensure_future(agent._score_chunk(partition, chunk(3)))
        await turns()
        assert not scoring.done()
        async with agent.follower._news:
            agent.follower._log.accepted += [old.accepted, new.accepted]
            agent.follower.current = serving(new)
            agent.follower._loaded = {0: old, 5: new}
            agent.follower._news.notify_all()
        await scoring
        await partition.checkpoint()
        assert {s.epoch for s in states(agent)} == {5}

    play(scenario)


def test_rows_that_had_a_prediction_before_a_crash_get_it_again_and_only_then_the_new_model_serves(
        agent: ScoreAgent) -> None:
    async def scenario() -> None:
        old, new = tiny_model(), tiny_model(weight=2.0, epoch=5)
        agent.follower.current = serving(new)
        agent.follower._log.accepted += [old.accepted, new.accepted]
        agent.follower._loaded[0] = old
        state = ScoreState(partition=0, covered=3, epoch=0, watermark=None, windows=[], late_rows=0, paused=False)
        agent._partitions[0] = partition = agent._restore(0, Standing(first=0, state=state, predicted=5))
        for offset in (3, 4, 5):
            await agent._tend(partition, due=False, now=0.0)
            await agent._score_chunk(partition, chunk(offset))
        await partition.checkpoint()
        sent: Any = agent._delivery
        predicted = [decode(r.value, Prediction) for r in sent.sent if r.topic.endswith("predictions")]
        assert [(p.source, p.model.epoch) for p in predicted] == [("T-0-3", 0), ("T-0-4", 0), ("T-0-5", 5)]
        assert [(s.covered, s.epoch) for s in states(agent)] == [(5, 5), (6, 5)]

    play(scenario)
