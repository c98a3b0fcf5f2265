"""Outputs delivered, then final windows, then the checkpoint, then `complete`: in this order, or not at all."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from schemas.codec import decode
from schemas.messages import OpenWindow, PartitionWatermark, ScoreState, WindowCounts
from schemas.model_log import NO_EPOCH
from schemas.topics import Topic
from stream_apps.checkpoints import Standing
from stream_apps.delivery import DeliveryError
from stream_apps.partition import PAUSE_FACTOR, ScoredPartition
from stream_apps.scoring import ScoredChunk
from stream_apps.windows import CellLayout, CountedRows, WindowSettings

SETTINGS = WindowSettings(size=10, lateness=0)
LAYOUT = CellLayout(profile="p", profile_epoch=0, size=2)
read_counts = msgspec.json.Decoder(WindowCounts | PartitionWatermark).decode


class Broker:
    """Writes down what happens, and fails where it is told to."""

    def __init__(self, failing: str | None = None) -> None:
        self.log: list[str] = []
        self.states: list[ScoreState] = []
        self.counts: list[WindowCounts | PartitionWatermark] = []
        self.outputs: list[bytes] = []
        self.failing = failing
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, topic: Topic, partition: int, records: Sequence[tuple[bytes | None, bytes]]) -> None:
        if not records:
            return
        await self.gate.wait()
        if topic.name == self.failing:
            raise DeliveryError(topic.name)
        self.log.append(topic.name)
        for _, value in records:
            if topic.name == "score-state":
                assert partition == 3
                self.states.append(decode(value, ScoreState))
            elif topic.name == "window-counts":
                self.counts.append(read_counts(value))
            else:
                self.outputs.append(value)

    def complete(self, message: Any) -> None:
        self.log.append(f"complete {message}")


def fresh(broker: Broker, state: ScoreState | None = None, predicted: int = 0) -> ScoredPartition:
    standing = Standing(first=0, state=state, predicted=predicted)
    return ScoredPartition.restore(3, standing, SETTINGS, broker.send, broker.complete)


def add(partition: ScoredPartition, ts: int) -> None:
    offset = partition.covered
    rows = CountedRows(offsets=np.array([offset]), ts=np.array([ts]), record_ts=np.array([ts]),
                       is_row=np.array([True]), ends=np.array([False]), cells=np.zeros((1, 1), dtype=np.int32))
    chunk = ScoredChunk(predictions=[(None, b"%d" % offset)], dead_letters=[], reasons=Counter(), rows=rows)
    partition.add(offset, offset + 1, chunk, LAYOUT)


def test_the_order_is_outputs_windows_checkpoint_complete() -> None:
    async def scenario() -> None:
        broker = Broker()
        partition = fresh(broker)
        for ts in (1, 5, 21):
            add(partition, ts)
        assert partition.waiting == 3
        await partition.checkpoint()
        assert broker.log == ["predictions", "window-counts", "score-state", "complete 0", "complete 1", "complete 2"]
        assert broker.outputs == [b"0", b"1", b"2"]
        counts, mark = broker.counts
        assert isinstance(counts, WindowCounts)
        assert (counts.window.start, counts.window.rows, counts.covered) == (0, 2, 3)
        assert mark == PartitionWatermark(partition=3, covered=3, watermark=21, idle=False)
        assert (broker.states[0].covered, broker.states[0].watermark) == (3, 21)
        assert partition.waiting == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("failing", ["predictions", "window-counts", "score-state"])
def test_nothing_is_completed_when_a_delivery_fails(failing: str) -> None:
    async def scenario() -> None:
        broker = Broker(failing)
        partition = fresh(broker)
        add(partition, 1)
        add(partition, 2)
        with pytest.raises(DeliveryError):
            await partition.checkpoint(epoch=9)
        assert not [line for line in broker.log if line.startswith("complete")]
        assert broker.states == []
        assert partition.epoch == NO_EPOCH

    asyncio.run(scenario())


def test_chunks_that_wait_for_one_delivery_share_the_next_and_keep_their_order() -> None:
    async def scenario() -> None:
        broker = Broker()
        partition = fresh(broker)
        broker.gate.clear()
        for ts in range(5):
            add(partition, ts)
            await asyncio.sleep(0)
        broker.gate.set()
        await partition.checkpoint()
        assert broker.log.count("predictions") == 2
        assert broker.outputs == [b"0", b"1", b"2", b"3", b"4"]

    asyncio.run(scenario())


def test_no_chunk_is_complete_when_the_delivery_that_it_shares_fails() -> None:
    async def scenario() -> None:
        broker = Broker("predictions")
        partition = fresh(broker)
        for ts in range(3):
            add(partition, ts)
        deliveries = [delivery for _, delivery in partition._undelivered]
        results = await asyncio.gather(*deliveries, return_exceptions=True)
        assert [type(result) for result in results] == [DeliveryError] * 3

    asyncio.run(scenario())


def test_a_swap_takes_effect_only_with_its_delivered_checkpoint() -> None:
    async def scenario() -> None:
        broker = Broker()
        partition = fresh(broker)
        broker.gate.clear()
        swap = asyncio.ensure_future(partition.checkpoint(epoch=9))
        await asyncio.sleep(0)
        assert partition.epoch == NO_EPOCH
        broker.gate.set()
        await swap
        assert (partition.epoch, broker.states[0].epoch) == (9, 9)

    asyncio.run(scenario())


def test_a_chunk_that_comes_while_a_checkpoint_is_under_way_is_not_covered_by_it() -> None:
    async def scenario() -> None:
        broker = Broker()
        partition = fresh(broker)
        add(partition, 1)
        broker.gate.clear()
        first = asyncio.ensure_future(partition.checkpoint())
        await asyncio.sleep(0)
        add(partition, 2)
        second = asyncio.ensure_future(partition.checkpoint())
        broker.gate.set()
        await asyncio.gather(first, second)
        assert [(s.covered, s.windows[0].rows) for s in broker.states] == [(1, 1), (2, 2)]
        assert broker.log.index("complete 0") < broker.log.index("complete 1")

    asyncio.run(scenario())


def test_where_the_partition_stands_is_said_when_it_is_new_only() -> None:
    async def scenario() -> None:
        broker = Broker()
        partition = fresh(broker)
        for ts in (1, 2, 9, 10):
            add(partition, ts)
            await partition.checkpoint()
        marks = [m.watermark for m in broker.counts if isinstance(m, PartitionWatermark)]
        assert marks == [1, 10]
        partition.idle = True
        await partition.checkpoint()
        await partition.checkpoint()
        add(partition, 11)
        await partition.checkpoint()
        assert [m.idle for m in broker.counts if isinstance(m, PartitionWatermark)] == [False, False, True, False]

    asyncio.run(scenario())


def test_a_restored_partition_goes_on_as_if_nothing_had_happened() -> None:
    async def scenario() -> None:
        one, other = Broker(), Broker()
        straight, broken = fresh(one), fresh(other)
        for k, ts in enumerate((1, 5, 12, 8, 31)):
            for partition in (straight, broken):
                add(partition, ts)
                await partition.checkpoint(epoch=k)
            broken = fresh(other, other.states[-1])
        assert one.states == [replace(state, term=1) for state in other.states]
        assert {str(c) for c in one.counts} <= {str(c) for c in other.counts}
        windows = [[c for c in b.counts if isinstance(c, WindowCounts)] for b in (one, other)]
        assert windows[0] == windows[1]

    asyncio.run(scenario())


def test_rows_that_had_a_prediction_repeat_it_however_often_their_worker_dies() -> None:
    async def scenario() -> None:
        broker = Broker()
        first = fresh(broker)
        first.epoch = 7
        add(first, 1)
        await first.checkpoint()
        second = fresh(broker, broker.states[-1], predicted=9)  # the first one died after it had predicted up to 9
        assert second.repeats
        await second.checkpoint()
        third = fresh(broker, broker.states[-1], predicted=2)  # the second after it had repeated a single row
        assert third.repeats
        assert third.predicted == 9

    asyncio.run(scenario())


def test_a_checkpoint_holds_all_that_is_open() -> None:
    async def scenario() -> None:
        broker = Broker()
        partition = fresh(broker)
        for ts in (1, 25, 2, 19):
            add(partition, ts)
        await partition.checkpoint()
        window = OpenWindow(start=20, profile="p", profile_epoch=0, rows=1, counts=[1, 0])
        assert broker.states == [ScoreState(partition=3, covered=4, epoch=NO_EPOCH, watermark=25, windows=[window],
                                            late_rows=2, paused=False, term=1)]

    asyncio.run(scenario())


@pytest.mark.parametrize(("paused", "factor"), [(False, 1), (True, PAUSE_FACTOR)])
def test_a_partition_whose_source_pauses_becomes_idle_only_after_many_times_as_long(
        *, paused: bool, factor: int) -> None:
    partition, idle_after = fresh(Broker()), 5_000
    partition.windows.paused = paused
    end = 100.0 + factor * idle_after / 1_000
    assert not partition.became_idle(100.0, idle_after, caught_up=True)
    assert not partition.became_idle(end - 0.5, idle_after, caught_up=True)
    assert not partition.became_idle(end - 0.4, idle_after, caught_up=False)
    assert not partition.became_idle(100.0, idle_after, caught_up=True)
    assert partition.became_idle(end, idle_after, caught_up=True)
    assert partition.idle
