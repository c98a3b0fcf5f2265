"""What a monitor that loses its partition in the middle of a chunk still says, and what it says once it is back."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from drift.profile import ReferenceProfile
from schemas.codec import decode, encode
from schemas.messages import DriftReport, OpenWindow, PartitionWatermark, WindowCounts
from schemas.topics import DRIFT_STATS, WINDOW_COUNTS, topic_name
from stream_apps import labelled_losses, monitor
from stream_apps.delivery import Record
from stream_apps.metrics.monitor import MonitorMetrics
from stream_apps.monitor import Monitor
from stream_apps.said_before import SaidBefore
from tests.stream_apps.fakes import FakeDelivery, FakeStream
from tests.tiny import SIZE, FakeRecord, accepted, artifact, profile_bytes, tiny_pipeline

PIPELINE, PROFILE, WINDOWS = tiny_pipeline(), profile_bytes(), 3
COUNTS, STATS = (topic_name(PIPELINE.name, topic) for topic in (WINDOW_COUNTS, DRIFT_STATS))


@dataclass(kw_only=True)
class Stage:
    """An assignment that can be lost while a report is sent, or while `labelled` is read."""

    lost_at: str
    epoch: int = 0
    back: asyncio.Task[None] | None = None
    completed: list[Any] = field(default_factory=list)
    delivery: FakeDelivery = field(default_factory=FakeDelivery)
    come_back: Callable[[], Any] | None = None

    @property
    def consumer(self) -> Any:
        # The first chunk is of the first assignment, the second of the one that came after it.
        chunk_epoch = self.epoch if self.back is not None and self.back.done() else 0
        return SimpleNamespace(complete=self.completed.append, current=lambda _: chunk_epoch == self.epoch,
                               assignment=lambda: {TP(COUNTS, 0)}, resume_at={})

    async def send(self, records: Sequence[Record]) -> None:
        await self.at("send")
        await self.delivery.send(records)

    async def nothing_labelled(self, *_: Any, **__: Any) -> AsyncGenerator[tuple[int, bytes]]:
        await self.at("read")
        for nothing in ():
            yield nothing

    async def at(self, place: str) -> None:
        """Where it is lost another assignment begins, and waits for what it must not disturb."""
        if place == self.lost_at and self.back is None and self.come_back is not None:
            self.epoch += 1
            self.back = asyncio.create_task(self.come_back())
            for _ in range(10):
                await asyncio.sleep(0)

    async def said(self, *_: Any) -> SaidBefore:
        reports = [decode(r.value or b"", DriftReport) for r in self.delivery.sent if r.topic == STATS]
        return SaidBefore(reported={(r.window_start, r.profile): r.labelled for r in reports}, alerted={}, partitions=1)


@pytest.fixture(params=["send", "read"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(lost_at=request.param)

    async def bounds(*_: Any) -> tuple[int, int]:
        return 0, 2 * WINDOWS

    async def models(*_: Any) -> Any:
        return SimpleNamespace(find=lambda epoch: accepted(b"", PROFILE, epoch))

    async def profile(*_: Any) -> bytes:
        return PROFILE

    monkeypatch.setattr(monitor, "read_said_before", stage.said)
    monkeypatch.setattr(monitor, "log_bounds", bounds)
    monkeypatch.setattr(labelled_losses, "read_each", stage.nothing_labelled)
    monkeypatch.setattr(Monitor, "_models", models)
    monkeypatch.setattr(monitor.ArtifactReader, "read", profile)
    return stage


@pytest.fixture
def watching(stage: Stage) -> Monitor:
    watching = Monitor(PIPELINE, "", stage, stage, lambda: None, MonitorMetrics())  # type: ignore[arg-type]
    watching._ledger.partitions = 1
    stage.come_back = watching.assigned
    return watching


def chunk() -> list[FakeRecord]:
    """Windows in which nothing drifts, all in one chunk."""
    counts = [n for f in ReferenceProfile.decode(PROFILE).features for n in f.counts]
    words: list[WindowCounts | PartitionWatermark] = []
    for k in range(WINDOWS):
        window = OpenWindow(start=k * SIZE, profile=artifact(PROFILE).digest, profile_epoch=0, rows=200, counts=counts)
        words += [WindowCounts(partition=0, covered=k, window=window),
                  PartitionWatermark(partition=0, covered=k, watermark=(k + 1) * SIZE, idle=False)]
    return [FakeRecord(offset=k, timestamp=1, value=encode(word)) for k, word in enumerate(words)]


def test_a_partition_lost_in_the_middle_of_a_chunk_ends_it_and_each_window_is_reported_once(
        stage: Stage, watching: Monitor) -> None:
    async def play() -> None:
        await watching.watch(FakeStream((COUNTS, 0, chunk())))
        assert stage.completed == []
        assert len(stage.delivery.sent) == (1 if stage.lost_at == "send" else 0)  # what is under way is not called back
        assert stage.back is not None
        await stage.back
        await watching.watch(FakeStream((COUNTS, 0, chunk())))

    asyncio.run(play())
    reports = [decode(record.value or b"", DriftReport) for record in stage.delivery.sent]
    assert [report.window_start for report in reports] == [k * SIZE for k in range(WINDOWS)]
    assert len(stage.completed) == 1
