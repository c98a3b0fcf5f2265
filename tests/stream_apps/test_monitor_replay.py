"""What the detectors of a restarted monitor hear again, where the profile has changed since the log began."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from drift.losses import LossRow
from drift.profile import ReferenceProfile
from schemas.codec import encode
from schemas.messages import Artifact, LabelledEvent, Model, OpenWindow, PartitionWatermark, WindowCounts
from stream_apps import labelled_losses
from stream_apps.artifacts import ArtifactReader
from stream_apps.loss_watch import LossWatch
from stream_apps.metrics.monitor import MonitorMetrics
from stream_apps.monitor import Monitor
from stream_apps.said_before import SaidBefore
from tests.stream_apps.fakes import FakeApp, FakeDelivery, FakeStream
from tests.tiny import SIZE, FakeRecord, accepted, artifact, profile_bytes, tiny_pipeline

PROFILES = [profile_bytes(shift) for shift in (0.0, 1.0)]
WINDOWS, CHANGED, LABELS = 10, 3, 10  # the second profile counts from window 3 on; so many labels come a window
STRAGGLER = 35  # a label of the first model's answer, that comes under the second profile
EARLY = 25  # from here on the second model answered
PLAIN = tiny_pipeline()
PIPELINE = replace(PLAIN, drift=replace(PLAIN.drift, detectors=("ddm",)))


def labelled(offset: int) -> LabelledEvent:
    epoch = int(offset >= EARLY and offset != STRAGGLER)
    return LabelledEvent(event_id=f"e{offset}", entity="k", ts=0, source=f"s-0-{offset}", pipeline_digest="d",
                         features=[0.0, 0.0, "x"], label="yes", labelled_ts=0, prediction="yes", score=0.8,
                         model=Model(version="1", digest="d", epoch=epoch))


def window_counts() -> list[FakeRecord]:
    words: list[WindowCounts | PartitionWatermark] = []
    for k in range(WINDOWS):
        epoch = int(k >= CHANGED)
        counts = [n for f in ReferenceProfile.decode(PROFILES[epoch]).features for n in f.counts]
        window = OpenWindow(start=k * SIZE, profile=artifact(PROFILES[epoch]).digest, profile_epoch=epoch, rows=200,
                            counts=counts)
        words += [WindowCounts(partition=0, covered=k, window=window),
                  PartitionWatermark(partition=0, covered=k, watermark=(k + 1) * SIZE, idle=False)]
    return [FakeRecord(offset=k, timestamp=1, value=encode(word)) for k, word in enumerate(words)]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Offsets of the rows that detectors hear."""
    offsets: list[int] = []
    see = LossWatch.see

    def hear(self: LossWatch, row: LossRow) -> Any:
        offsets.append(row.offset)
        return see(self, row)

    async def read_each(*_: Any, first: int, end: int | None) -> AsyncGenerator[tuple[int, bytes]]:
        for offset in range(first, WINDOWS * LABELS if end is None else end):
            yield offset, encode(labelled(offset))

    async def models(_: Monitor) -> Any:
        known = [accepted(b"", profile, epoch) for epoch, profile in enumerate(PROFILES)]
        return SimpleNamespace(find=known.__getitem__, accepted=known, canaries=[])

    async def read(_: ArtifactReader, wanted: Artifact) -> bytes:
        return next(profile for profile in PROFILES if artifact(profile).digest == wanted.digest)

    monkeypatch.setattr(LossWatch, "see", hear)
    monkeypatch.setattr(labelled_losses, "read_each", read_each)
    monkeypatch.setattr(Monitor, "_models", models)
    monkeypatch.setattr(ArtifactReader, "read", read)
    return offsets


@pytest.fixture
def restarted() -> Monitor:
    """It has said everything but the last window, more windows under the second profile than it remembers."""
    monitor = Monitor(PIPELINE, "", FakeApp(), FakeDelivery(), lambda: None, MonitorMetrics())  # type: ignore[arg-type]
    reported = {(k * SIZE, artifact(PROFILES[k >= CHANGED]).digest): (k + 1) * LABELS for k in range(WINDOWS - 1)}
    monitor._start_again(SaidBefore(reported=reported, alerted={}, partitions=1))
    return monitor


def test_the_detectors_of_a_restarted_monitor_hear_each_row_since_the_change_of_profile_once(
        heard: list[int], restarted: Monitor) -> None:
    asyncio.run(restarted.watch(FakeStream(("tiny.window-counts", 0, window_counts()))))
    assert PIPELINE.drift.history_windows < WINDOWS - 1 - CHANGED
    assert heard == [offset for offset in range(CHANGED * LABELS, WINDOWS * LABELS) if offset != STRAGGLER]
