"""The consumer's rules without a broker: Kafka's answers come from a fake thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import pytest
from faust.types import TP

from kafka_access.access import KafkaAccess
from stream_apps.transport import Chunking, ChunkMessage, Consumer, LostPositionError
from stream_apps.transport.chunk import Row
from stream_apps.transport.fetch import Fetched
from stream_apps.transport.start import Bounds
from stream_apps.worker import WorkerSettings, make_app

from .test_chunk import rows_at

ONE, TWO = TP("events", 0), TP("events", 1)


class FakeKafka:
    """Kafka's side, as group and as reader: what it would answer, and where it was told to read."""

    def __init__(self) -> None:
        self.known = {tp: Bounds(committed=None, first=0, end=100) for tp in (ONE, TWO)}
        self.seeks: list[Mapping[TP, int]] = []
        self.moves: list[Mapping[TP, int]] = []
        self.fetched = Fetched()
        self.on_bounds: Callable[[], None] = lambda: None
        self.on_read: Callable[[], Awaitable[None]] | None = None
        self.commit: Callable[[Mapping[TP, int]], Awaitable[bool]]

    def assignment(self) -> set[TP]:
        return set(self.known)

    async def check(self) -> None:
        """The membership is well."""

    async def bounds(self, tps: Iterable[TP]) -> dict[TP, Bounds]:
        self.on_bounds()
        return {tp: self.known[tp] for tp in tps}

    async def assign(self, offsets: Mapping[TP, int]) -> None:
        self.seeks.append(dict(offsets))

    async def move(self, offsets: Mapping[TP, int]) -> None:
        self.moves.append(dict(offsets))

    async def read(self) -> Fetched:
        if self.on_read is not None:
            await self.on_read()
        fetched, self.fetched = self.fetched, Fetched()
        return fetched


class Desk:
    """A consumer between a fake Kafka and a list of delivered chunks."""

    def __init__(self) -> None:
        self.told: list[tuple[TP, int, int]] = []
        settings = WorkerSettings(kafka=KafkaAccess(servers="nowhere:9092"), group="g", chunk_rows=10,
                                  drain_seconds=0.2)
        self.app = make_app("test", settings, self.on_expired)
        self.consumer: Consumer = self.app.consumer
        self.consumer._group.thread_loop.close()
        self.kafka = FakeKafka()
        self.consumer._thread = self.consumer._group = self.kafka  # type: ignore[assignment]
        self.consumer._reader = self.kafka  # type: ignore[assignment]
        self.delivered: list[ChunkMessage] = []
        self.consumer.callback = self.on_message

    async def on_expired(self, tp: TP, wanted: int, first: int) -> None:
        self.told.append((tp, wanted, first))

    async def on_message(self, message: Any) -> None:
        self.consumer.track_message(message)
        self.delivered.append(message)

    async def read(self, tp: TP, *offsets: int, **news: Any) -> list[ChunkMessage]:
        """Let one turn of the flow fetch these rows, and news of ends; the chunks it delivered."""
        before = len(self.delivered)
        rows: dict[TP, list[Row]] = {tp: list(rows_at(list(offsets)))} if offsets else {}
        self.kafka.fetched = Fetched(rows=rows, **news)
        await self.consumer._turn()
        return self.delivered[before:]

    def committable(self) -> dict[TP, int]:
        return self.consumer._filter_committable_offsets(self.consumer._filter_tps_with_pending_acks())


def scenario(play: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        await play(Desk())

    asyncio.run(run())


def test_only_the_completed_prefix_is_committable_whatever_faust_acks() -> None:
    async def play(desk: Desk) -> None:
        await desk.consumer.perform_seek()
        first, second, third = await desk.read(ONE, *range(25))
        desk.consumer.complete(second)
        desk.consumer.ack(first)
        assert desk.committable() == {}
        desk.consumer.complete(first)
        assert desk.committable() == {ONE: 20}
        desk.consumer.complete(third)
        assert desk.committable() == {ONE: 25}

    scenario(play)


def test_a_chunk_of_an_earlier_assignment_is_not_current_and_its_completion_commits_nothing() -> None:
    async def play(desk: Desk) -> None:
        await desk.consumer.perform_seek()
        (old,) = await desk.read(ONE, *range(10))
        assert desk.consumer.current(old)
        await desk.consumer.perform_seek()
        (new,) = await desk.read(ONE, *range(10))
        assert (desk.consumer.current(old), desk.consumer.current(new)) == (False, True)
        desk.consumer.complete(old)
        assert desk.committable() == {}

    scenario(play)


def test_rows_fetched_around_a_rebalance_are_dropped_and_read_again_from_where_they_began() -> None:
    async def play(desk: Desk) -> None:
        await desk.consumer.perform_seek()
        desk.kafka.on_read = desk.consumer.perform_seek
        assert await desk.read(ONE, *range(10)) == []
        desk.kafka.on_read = None
        seeks = len(desk.kafka.seeks)
        assert await desk.read(ONE, *range(10)) == []
        assert desk.kafka.seeks[seeks:] == [{ONE: 0, TWO: 0}]
        assert [chunk.first for chunk in await desk.read(ONE, *range(10))] == [0]

    scenario(play)


def test_no_row_flows_before_the_application_has_loaded_its_state() -> None:
    async def play(desk: Desk) -> None:
        desk.kafka.fetched = Fetched(rows={ONE: list(rows_at([0]))})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await desk.consumer._turn()
        assert (desk.delivered, desk.kafka.seeks) == ([], [])

    scenario(play)


def test_positions_that_could_not_be_set_are_set_before_the_next_row() -> None:
    async def play(desk: Desk) -> None:
        def fail() -> None:
            raise ConnectionError

        desk.kafka.on_bounds = fail
        with pytest.raises(ConnectionError):
            await desk.consumer.perform_seek()
        desk.kafka.on_bounds = lambda: None
        assert await desk.read(ONE, 0) == []
        assert desk.kafka.seeks == [{ONE: 0, TWO: 0}]

    scenario(play)


def test_a_revoke_while_positions_are_asked_for_sets_none() -> None:
    async def play(desk: Desk) -> None:
        desk.kafka.on_bounds = desk.consumer._let_go
        await desk.consumer.perform_seek()
        assert desk.kafka.seeks == []
        assert not desk.consumer._positioned

    scenario(play)


def test_rows_dropped_after_others_were_handed_out_end_the_process_instead_of_being_counted_twice() -> None:
    async def play(desk: Desk) -> None:
        await desk.consumer.perform_seek()
        await desk.read(ONE, *range(10))
        desk.consumer._drop()
        with pytest.raises(LostPositionError, match=r"events\[0\]"):
            await desk.consumer._turn()

    scenario(play)


def test_the_checkpoint_wins_over_the_commit_and_the_commit_over_the_first_row() -> None:
    async def play(desk: Desk) -> None:
        desk.kafka.known = {
            ONE: Bounds(committed=50, first=10, end=100),
            TWO: Bounds(committed=60, first=10, end=100),
            TP("events", 2): Bounds(committed=None, first=10, end=100),
        }
        desk.consumer.resume_at[ONE] = 20
        await desk.consumer.perform_seek()
        assert desk.kafka.seeks == [{ONE: 20, TWO: 60, TP("events", 2): 10}]

    scenario(play)


def test_an_expired_range_is_told_once_in_an_assignment_however_often_positions_are_set() -> None:
    async def play(desk: Desk) -> None:
        desk.kafka.known[ONE] = Bounds(committed=5, first=40, end=100)
        await desk.consumer.perform_seek()
        await desk.consumer.perform_seek()
        assert desk.told == [(ONE, 5, 40)]
        assert [seek[ONE] for seek in desk.kafka.seeks] == [40, 40]

    scenario(play)


def test_rows_that_retention_removes_while_they_are_read_are_told_and_reading_goes_on_after_them() -> None:
    async def play(desk: Desk) -> None:
        await desk.consumer.perform_seek()
        await desk.read(ONE, *range(10))
        desk.kafka.known[ONE] = Bounds(committed=None, first=40, end=100)
        (chunk,) = await desk.read(TWO, 0, astray={ONE})
        assert (chunk.tp, desk.told, desk.kafka.moves) == (TWO, [(ONE, 10, 40)], [{ONE: 40}])
        assert [chunk.first for chunk in await desk.read(ONE, 40, 41)] == [40]

    scenario(play)


def test_a_partition_is_caught_up_when_it_was_read_to_its_end_and_every_row_is_complete() -> None:
    async def play(desk: Desk) -> None:
        await desk.consumer.perform_seek()
        (chunk,) = await desk.read(ONE, *range(10), ended={ONE: 11})  # a transaction's marker is the last
        assert (desk.consumer.caught_up(ONE), desk.consumer.positions[ONE]) == (False, 0)
        desk.consumer.complete(chunk)
        assert (desk.consumer.caught_up(ONE), desk.consumer.caught_up(TWO)) == (True, False)
        assert desk.consumer.positions[ONE] == 11
        (chunk,) = await desk.read(ONE, 11)
        desk.consumer.complete(chunk)
        assert (desk.consumer.caught_up(ONE), desk.consumer.positions[ONE]) == (False, 12)

    scenario(play)


def test_a_commit_that_hangs_ends_the_process_and_a_stop_does_not_wait_for_it() -> None:
    async def play(desk: Desk) -> None:
        crashes: list[BaseException] = []

        async def crash(reason: BaseException) -> None:
            crashes.append(reason)

        async def hang(_: Mapping[TP, int]) -> bool:
            return await asyncio.Event().wait()

        desk.app.crash = crash  # type: ignore[method-assign]
        desk.kafka.commit = hang
        await desk.consumer.perform_seek()
        (chunk,) = await desk.read(ONE, *range(10))
        desk.consumer.complete(chunk)
        async with asyncio.timeout(2):
            await desk.consumer.wait_empty()
        assert crashes == []
        desk.consumer._chunking = Chunking(commit_seconds=0.05)
        async with asyncio.timeout(2):
            assert not await desk.consumer._commit({ONE: 10})
        assert [type(reason) for reason in crashes] == [TimeoutError]

    scenario(play)


def test_a_drain_waits_for_what_agents_hold_but_not_for_ever_and_then_lets_go() -> None:
    async def play(desk: Desk) -> None:
        committed: list[dict[TP, int]] = []

        async def commit(**_: Any) -> bool:
            committed.append(desk.committable())
            return True

        desk.consumer.commit = commit  # type: ignore[method-assign]
        await desk.consumer.perform_seek()
        first, second = await desk.read(ONE, *range(20))
        drain = asyncio.create_task(desk.consumer.wait_empty())
        await asyncio.sleep(0)
        assert desk.consumer.draining
        desk.consumer.complete(first)
        async with asyncio.timeout(2):
            await drain
        assert committed == [{ONE: 10}]
        assert not desk.consumer.draining
        assert not desk.consumer.current(second)

    scenario(play)
