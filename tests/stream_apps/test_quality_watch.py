"""Quality reports are written once, also by a monitor that was started again; the newest versions are metrics."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas.codec import decode, encode
from schemas.messages import LabelledEvent, QualityReport
from schemas.topics import LABELLED, QUALITY, topic_name
from stream_apps import quality_watch
from stream_apps.metrics.monitor import MonitorMetrics
from stream_apps.quality_watch import QualityWatch
from tests.stream_apps.fakes import FakeDelivery, FakeStream
from tests.stream_apps.test_quality import event, pipeline_of
from tests.tiny import FakeRecord

ROWS, PIPELINE = 10, pipeline_of("binary", 10)
LOG, REPORTS = (topic_name(PIPELINE.name, topic) for topic in (LABELLED, QUALITY))


@dataclass(kw_only=True)
class Stage:
    """Kafka as the watch sees it: the training log, and the reports that it has written."""

    log: list[LabelledEvent]
    delivery: FakeDelivery = field(default_factory=FakeDelivery)
    resume_at: dict[TP, int] = field(default_factory=dict)
    completed: list[Any] = field(default_factory=list)

    @property
    def consumer(self) -> Any:
        return SimpleNamespace(complete=self.completed.append, current=lambda _: True, resume_at=self.resume_at,
                               assignment=lambda: {TP(LOG, 0)})

    async def bounds(self, topic: str, _: str) -> tuple[int, int]:
        return 0, len(self.log if topic == LOG else self.delivery.sent)

    async def read(self, _topic: str, _servers: str, *, first: int) -> AsyncGenerator[tuple[int, bytes | None]]:
        for offset, record in enumerate(self.delivery.sent[first:], first):
            yield offset, record.value

    def run(self) -> QualityWatch:
        """A monitor that starts, and reads what there is from where it wants to begin."""
        watch = QualityWatch(PIPELINE, "", self, self.delivery, MonitorMetrics().quality)  # type: ignore[arg-type]

        async def play() -> None:
            await watch.assigned()
            first = self.resume_at[TP(LOG, 0)]
            records = [FakeRecord(offset=offset, timestamp=1, value=encode(row))
                       for offset, row in enumerate(self.log[first:], first)]
            await watch.watch(FakeStream((LOG, 0, records)))

        asyncio.run(play())
        return watch

    def reports(self) -> list[QualityReport]:
        assert {record.topic for record in self.delivery.sent} == {REPORTS}
        return [decode(record.value or b"", QualityReport) for record in self.delivery.sent]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(log=[event(k, "yes" if k % 3 else "no") for k in range(35)])
    monkeypatch.setattr(quality_watch, "log_bounds", stage.bounds)
    monkeypatch.setattr(quality_watch, "read_each", stage.read)
    monkeypatch.setattr("stream_apps.quality.REMEMBERED", 12)
    return stage


def test_a_monitor_that_starts_again_goes_on_after_the_last_report(stage: Stage) -> None:
    whole, stage.log = stage.log, stage.log[:27]
    stage.run()
    assert [(report.first, report.last) for report in stage.reports()] == [(0, 9), (10, 19)]
    stage.log = [*whole[:27], whole[15], *whole[27:]]  # a pair that was written again
    stage.run()
    assert stage.resume_at[TP(LOG, 0)] == 20 - 12
    assert [(report.first, report.last) for report in stage.reports()] == [(0, 9), (10, 19), (20, 30)]
    stage.run()
    assert len(stage.delivery.sent) == 3
    assert len(stage.completed) == 3


def test_the_newest_versions_are_metrics(stage: Stage) -> None:
    stage.log = [event(k, "yes") for k in range(30 * 8)]  # eight versions
    metrics = stage.run().metrics
    shown = {sample.labels["version"] for sample in next(iter(metrics.quality.collect())).samples}
    assert shown == {"all", "4", "5", "6", "7", "8"}
    assert metrics.quality.labels("8", "accuracy")._value.get() == 1.0
    assert metrics.reports._value.get() == 24


def test_the_delay_of_a_label_is_measured_once_and_not_where_nobody_labelled(stage: Stage) -> None:
    stage.log = [event(0, "yes", labelled_ts=5_000), event(1, "no", implicit=True), event(2, "no", labelled_ts=0)]
    delay = stage.run().metrics.delay
    values = {sample.name.rpartition("_")[2]: sample.value for sample in next(iter(delay.collect())).samples}
    assert (values["count"], values["sum"]) == (2, 5)
