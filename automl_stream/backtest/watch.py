"""The monitor of one partition, in memory: what is counted closes windows, and each is judged once."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence

from automl_stream.backtest.result import Alert, DetectorFiring, FeaturePoint, Window
from automl_stream.backtest.world import Reference, References
from drift.losses import LossRow, loss_row
from drift.verdict import Verdict
from schemas.messages import DriftAlert, DriftReport, FeatureDrift, LabelledEvent, PartitionWatermark
from schemas.model_log import NO_EPOCH
from schemas.pipeline import Pipeline
from stream_apps.closing import ClosedWindow, WindowLedger
from stream_apps.drift_report import DriftJudge, Predictions
from stream_apps.model_slot import LoadedModel, Slots
from stream_apps.windows import CountedRows, PartitionWindows, WindowSettings


class RowTimes:
    """Which row of the file reached which event time first; a row without a usable time reaches nothing new."""

    def __init__(self) -> None:
        self._reached = array("q")

    def __len__(self) -> int:
        return len(self._reached)

    def add(self, ts: int | None) -> None:
        """The next row."""
        before = self._reached[-1] if self._reached else -(2**63)
        self._reached.append(before if ts is None else max(before, ts))

    def first_at(self, ts: int) -> int:
        """The first row at `ts` or later; the number of rows where there is none yet."""
        return bisect_left(self._reached, ts)


class Watch:
    """Closes windows in event-time order and judges them; `references` are known by the time windows need them."""

    def __init__(self, pipeline: Pipeline, references: References, times: RowTimes, first_row: int) -> None:
        self.windows: list[Window] = []
        self.alerts: list[Alert] = []
        self.firings: list[DetectorFiring] = []
        self.watched: list[tuple[int, LossRow]] = []  # by row of the file: what the detectors took
        self._pipeline = pipeline
        self._references = references
        self._times = times
        self._first_row = first_row
        settings = WindowSettings(size=pipeline.windows.size, lateness=pipeline.windows.lateness)
        self._open = PartitionWindows(partition=0, settings=settings)
        self._ledger = WindowLedger(partitions=1, size=pipeline.windows.size)
        self._losses: list[tuple[int, LossRow]] = []  # by the profile that the model served under
        self._rows: dict[int, int] = {}  # of the file, by offset in the training log, until they are counted
        self._judge: DriftJudge | None = None
        self._judging = NO_EPOCH

    def learn(self, events: Sequence[LabelledEvent], first: int, profile_epoch: Callable[[int], int]) -> None:
        """Labelled rows from offset `first` of the training log on, whose losses the next window counts;
        `profile_epoch`: of the model of an epoch."""
        for offset, event in enumerate(events, first):
            row = loss_row(self._pipeline.task, offset, event)
            if event.model is not None and row is not None:
                self._losses.append((profile_epoch(event.model.epoch), row))
                self._rows[offset] = int(event.source.rpartition("-")[2])

    def count(self, rows: CountedRows, slots: Slots, labelled: int) -> list[DriftAlert]:
        """Count scored rows, whose offsets are their numbers in the file; returns alerts, which apply before the row
        `labelled` of the training log."""
        final = self._open.add(rows, slots.layout)
        standing = PartitionWatermark(partition=0, covered=int(rows.offsets[-1]) + 1, watermark=self._open.watermark,
                                      idle=False)
        closed = [window for record in (*final, standing) for window in self._ledger.offer(record)]
        said = (self._close(window, slots.champion, labelled) for window in closed)
        return [alert for alert in said if alert is not None]

    def _close(self, window: ClosedWindow, model: LoadedModel, labelled: int) -> DriftAlert | None:
        reference = self._references.profiles[window.profile_epoch]
        if self._judge is None or self._judging != window.profile_epoch:
            self._judge = DriftJudge(pipeline=self._pipeline, profile=reference.profile)
            self._judging = window.profile_epoch
        window = self._with_losses(self._judge, window)
        report, verdict = self._judge.judge(window, labelled, self._predictions(window))
        self.windows.append(self._window(report, verdict, reference))
        if not self._judge.alerts(report):
            return None
        alert = self._judge.alert(report, verdict, model.model)
        self.alerts.append(Alert(
            window_start=alert.window_start, row=window.covered["0"], kind=alert.kind, features=alert.features,
            onset_row=self._row_at(alert.onset), sentence=alert.sentence, alert_id=alert.alert_id,
            detector=alert.detector))
        return alert

    def _with_losses(self, judge: DriftJudge, window: ClosedWindow) -> ClosedWindow:
        """The window with the labelled rows that came since the one before, where they belong to its profile."""
        rows = [row for epoch, row in self._losses if epoch == window.profile_epoch]
        counted = judge.loss_watch.count(window, rows)
        self.firings += [DetectorFiring(detector=f.detector, offset=f.offset, row=self._rows[f.offset], rose=f.rose,
                                        window_start=window.start) for f in counted.firings]
        if self._pipeline.drift.detectors:
            self.watched += [(self._rows[row.offset], judge.loss_watch.in_units(row)) for row in rows]
        self._losses.clear()
        self._rows.clear()
        return counted

    def _predictions(self, window: ClosedWindow) -> Predictions | None:
        """Of the newest model that answered some of the rows."""
        return None if not window.predictions else self._references.predictions[max(window.predictions)]

    def _window(self, report: DriftReport, verdict: Verdict, reference: Reference) -> Window:
        points = [_point(feature) for feature in report.features]
        return Window(
            start=report.window_start, first_row=self._row_at(report.window_start),
            end_row=self._row_at(report.window_end), rows=report.rows, alarm=report.alarm,
            evidence=max(point.evidence for point in points), threshold=-verdict.threshold, sentence=report.verdict,
            profile=report.profile, reference_row=self._times.first_at(reference.since), features=points)

    def _row_at(self, ts: int) -> int:
        return max(self._first_row, self._times.first_at(ts))


def _point(feature: FeatureDrift) -> FeaturePoint:
    return FeaturePoint(
        name=feature.name, evidence=max(0.0, -feature.log_p), effect=feature.effect, lower_bound=feature.lower_bound,
        missing=feature.missing, psi=feature.psi, ks=feature.ks, calibrated=feature.calibrated, alarm=feature.alarm)
