"""The monitor service: final counts of all partitions in; a drift report a window out, and an alert where due. And
`quality_watch.py`: the training log in, quality reports out.

It keeps no state but Kafka's: on start it reads `window-counts` again from the beginning, and `drift-stats` for what it
has already said, and how far each window had counted the losses of `labelled`. Detectors are fed again from the first
row under their profile. Run: python -m stream_apps.monitor
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec
import structlog
from faust.types import TP

from drift.detectors.detector_set import detector_set
from drift.losses import LossRow
from drift.profile import ReferenceProfile
from kafka_access.access import KafkaAccess
from kafka_access.definition import in_force
from schemas.codec import encode
from schemas.configuration import NO_VERSION, Version, taken_live
from schemas.messages import DriftAlert, DriftReport, Firing, Model, WindowRecord
from schemas.model_log import NO_EPOCH, Accepted, ModelLog
from schemas.pipeline import Pipeline, load_pipeline
from schemas.topics import (
    DRIFT_ALERTS,
    DRIFT_STATS,
    LABELLED,
    MODEL_ARTIFACTS,
    MODEL_UPDATES,
    WINDOW_COUNTS,
    Topic,
    topic_name,
)
from stream_apps.artifacts import ArtifactReader
from stream_apps.closing import ClosedWindow, WindowLedger
from stream_apps.configuration import DefinitionFollower
from stream_apps.delivery import Delivery, Record
from stream_apps.drift_report import DriftJudge
from stream_apps.labelled_losses import LabelledLosses
from stream_apps.lag import watch_kafka
from stream_apps.metrics.monitor import MonitorMetrics
from stream_apps.quality_watch import QualityWatch
from stream_apps.said_before import SaidBefore, read_said_before
from stream_apps.settings import ServiceSettings, explained, read_settings
from stream_apps.topics import log_bounds, read_all
from stream_apps.transport import StreamApp
from stream_apps.watched_predictions import WatchedPredictions
from stream_apps.worker import WorkerSettings, die, make_app, run, when_assigned
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

log = structlog.get_logger()

_decode_counts = msgspec.json.Decoder(WindowRecord).decode


class UnknownModel(Exception):
    """Windows were counted under a model that the log of models does not have. Not retriable."""


class _Said(NamedTuple):
    """A window that was reported before the restart; it counted `labelled` from offset `first` to `end` (exclusive)."""

    window: ClosedWindow
    first: int
    end: int


class Monitor:
    """Closes windows in event-time order and judges them; `newest` gives the newest version of the definition."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, app: StreamApp, delivery: Delivery,
                 newest: Callable[[], Version | None], metrics: MonitorMetrics) -> None:
        self._pipeline = pipeline
        self._config = NO_VERSION
        self._newest = newest
        self._kafka = kafka
        self._app = app
        self._delivery = delivery
        self._artifacts = ArtifactReader(self._topic(MODEL_ARTIFACTS), kafka)
        self._folding = asyncio.Lock()  # the state belongs to one chunk, or to who starts it again
        self.metrics = metrics
        metrics.declare(pipeline)
        self._start_again(SaidBefore(reported={}, alerted={}, partitions=pipeline.pipeline.partitions))

    def _start_again(self, said: SaidBefore) -> None:
        self._ledger = WindowLedger(partitions=said.partitions, size=self._pipeline.windows.size)
        self._said = said
        self._losses = LabelledLosses(self._topic(LABELLED), self._pipeline.task, self._kafka, self._models)
        self._predictions = WatchedPredictions(self._pipeline.task, self._artifacts, self._models)
        self._judge: DriftJudge | None = None
        self._judging = NO_EPOCH
        self._since = 0  # end of `labelled` when the profile's first window closed
        self._before: deque[_Said] = deque(maxlen=self._pipeline.drift.history_windows)

    async def assigned(self) -> None:
        """Read again from the beginning, but say nothing twice."""
        tp = TP(self._topic(WINDOW_COUNTS), 0)
        if tp not in self._app.consumer.assignment():
            return
        async with self._folding:
            self._start_again(await read_said_before(self._pipeline.name, self._kafka))
            self._app.consumer.resume_at[tp], _ = await log_bounds(tp.topic, self._kafka)
        log.info("window counts are read from the beginning", windows_reported=len(self._said.reported))

    async def watch(self, stream: Any) -> None:
        """Fold chunk after chunk; a chunk is complete when everything said about it is delivered."""
        events: AsyncIterator[Any] = stream.noack().events()
        async for event in events:
            async with self._folding:
                await self._fold(event.message)

    async def _fold(self, chunk: Any) -> None:
        if not self._app.consumer.current(chunk):
            return
        for record in chunk.take():
            for window in self._ledger.offer(_decode_counts(record.value)):
                # A chunk may take longer than a revoke waits for it.
                if not self._app.consumer.current(chunk):
                    return
                await self._close(window, chunk)
        self._show_waiting()
        self._app.consumer.complete(chunk)

    async def _close(self, window: ClosedWindow, chunk: Any) -> None:
        if self._judging != window.profile_epoch:
            self._judging, self._judge, self._since = window.profile_epoch, None, self._losses.end
            self._before.clear()
        said = self._said.reported.get((window.start, window.profile))
        if said is not None and self._judge is None:
            # Most of these are forgotten again: their labelled rows are read when that is needed.
            self._before.append(_Said(window, self._losses.end, said))
            self._losses.end = said
            return
        began = time.perf_counter()
        judge = await self._judge_of(window)
        if said is None:
            self._obey(judge)
        until = self._said.alerted.get((window.start, window.profile)) if said is None else said
        window = await self._with_losses(judge, window, until)
        if said is not None:
            judge.remember(window)
            return
        report, verdict = judge.judge(window, self._losses.end, await self._predictions.of(window))
        alert = judge.alert(report, verdict, await self._serving()) if judge.alerts(report) else None
        if self._app.consumer.current(chunk):  # else the next owner says it, perhaps of more labelled rows
            await self._say(report, alert)
            self.metrics.show(report, verdict.threshold, time.perf_counter() - began)

    def _show_waiting(self) -> None:
        windows, ledger = self.metrics.windows, self._ledger
        windows.late.set(ledger.late_records)
        windows.waiting.set(ledger.waiting)
        windows.delay.set(ledger.delay / 1_000)

    def _obey(self, judge: DriftJudge) -> None:
        """Judge by the newest version: a report names it, and a window that has one is never judged again."""
        version = self._newest()
        if version is not None and version.offset != self._config:
            self._config = version.offset
            self._pipeline = taken_live(self._pipeline, version.pipeline, "monitor")
            self.metrics.declare(self._pipeline)
            log.info("windows are judged by a version of the definition", version=version.offset)
        judge.obey(self._pipeline, self._config)

    async def _say(self, report: DriftReport, alert: DriftAlert | None) -> None:
        if alert is not None:
            log.info("drift alert", alert_id=alert.alert_id, window_start=alert.window_start, sentence=alert.sentence)
            # Before the report: a crash between the two says the alert again, under the same id and of the same rows.
            await self._send(DRIFT_ALERTS, alert.alert_id, encode(alert))
            self.metrics.drift.alerts.labels(alert.kind).inc()
        await self._send(DRIFT_STATS, str(report.window_start), encode(report))

    async def _judge_of(self, window: ClosedWindow) -> DriftJudge:
        """The judge of the window's profile, made when it first has something to say: old profiles may be gone."""
        if self._judge is None:
            accepted = _required((await self._models()).find(window.profile_epoch), window.profile_epoch)
            profile = ReferenceProfile.decode(await self._artifacts.read(accepted.announcement.profile))
            self._judge = DriftJudge(pipeline=self._pipeline, profile=profile, config=self._config)
            await self._feed_again(self._judge, window.profile_epoch)
            for before in self._before:
                self._losses.end = before.first
                self._judge.remember(await self._with_losses(self._judge, before.window, before.end))
            self._before.clear()
        return self._judge

    async def _feed_again(self, judge: DriftJudge, profile_epoch: int) -> None:
        """Give the detectors what they had seen under this profile before the windows that are remembered."""
        if self._before and self._pipeline.drift.detectors:
            self._losses.end = self._since
            async for row in self._losses.rows(profile_epoch, self._before[0].first):
                judge.loss_watch.see(row)

    async def _with_losses(self, judge: DriftJudge, window: ClosedWindow, until: int | None) -> ClosedWindow:
        """The window with what labelled rows say that it counts: up to now, unless it has been said."""
        rows: list[LossRow] = []
        firings: list[Firing] = []
        async for row in self._losses.rows(window.profile_epoch, until):
            rows.append(row)
            firings += judge.loss_watch.see(row)
        return judge.loss_watch.given(window, rows, firings)

    async def _models(self) -> ModelLog:
        models = ModelLog()
        for epoch, value in await read_all(self._topic(MODEL_UPDATES), self._kafka):
            models.read(epoch, value)
        return models

    async def _serving(self) -> Model:
        models = await self._models()
        current = _required(models.current, models.epoch)
        announcement = current.announcement
        return Model(version=announcement.version, digest=announcement.model.digest, epoch=current.epoch)

    async def _send(self, topic: Topic, key: str, value: bytes) -> None:
        await self._delivery.send([Record(self._topic(topic), 0, key.encode(), value)])

    def _topic(self, topic: Topic) -> str:
        return topic_name(self._pipeline.name, topic)


def _required(accepted: Accepted | None, epoch: int) -> Accepted:
    """Counts come from a model whose announcement was accepted."""
    if accepted is None:
        raise UnknownModel(f"model-updates has no accepted announcement {epoch}, but windows were counted under it")
    return accepted


def build(settings: ServiceSettings, pipeline: Pipeline, metrics: MonitorMetrics) -> StreamApp:
    """Wire the service."""
    app = make_app(f"{pipeline.name}-monitor", WorkerSettings(
        kafka=settings.kafka, group=f"{pipeline.name}.monitor",
        instance_id=f"{pipeline.name}-monitor-{settings.instance}", session_timeout=6.0, commit_interval=0.1))
    delivery = Delivery(settings.kafka)
    definition = DefinitionFollower(pipeline.name, settings.kafka)
    monitor = Monitor(pipeline, settings.kafka, app, delivery, lambda: definition.current, metrics)
    quality = QualityWatch(pipeline, settings.kafka, app, delivery, metrics.quality)
    app.agent(app.chunks(topic_name(pipeline.name, WINDOW_COUNTS)), name="monitor")(monitor.watch)
    app.agent(app.chunks(topic_name(pipeline.name, LABELLED)), name="quality")(quality.watch)

    @app.task
    async def follow(app: StreamApp) -> None:
        try:
            await definition.run()
        except Exception as error:
            await die(app, error)
            raise

    async def assigned() -> None:
        await monitor.assigned()
        await quality.assigned()

    when_assigned(app, assigned)
    watch_kafka(app, settings.kafka, pipeline.name, metrics.reading)
    return app


@explained
def main() -> None:
    """Run the service of this process's environment."""
    settings = read_settings()
    pipeline, _ = in_force(load_pipeline(settings.pipeline), settings.kafka)
    detector_set(pipeline)  # their library takes seconds to import, or is missing: before there is a group to answer to
    configure_logs(service="monitor", pipeline=pipeline.name)
    metrics = MonitorMetrics()
    app = build(settings, pipeline, metrics)
    serve_metrics(settings.metrics, metrics, lambda: {"ok": True})
    run(app)


if __name__ == "__main__":
    main()
