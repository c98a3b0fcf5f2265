"""What the monitor shows of itself: windows, drift, and how good the answers are."""

from collections import OrderedDict
from math import nan
from typing import get_args

from schemas.detectors import DetectorName
from schemas.messages import AlertKind, DriftReport, Quality, QualityReport
from schemas.pipeline import Pipeline
from stream_apps.metrics.reading import ReadingMetrics
from telemetry.metrics import WORK_SECONDS, ServiceMetrics

FEATURES = 50  # shown as metrics, those with the most evidence
VERSIONS = 5  # shown as metrics, the newest
ALL = "all"
FIGURES = ("accuracy", "log_loss", "brier", "auc", "no_change_accuracy", "kappa_temporal", "mae", "rmse",
           "no_change_mae")
HOUR, DAY = 3_600, 86_400
_SHOWN = f"the {FEATURES} with the most evidence, in the newest window"


class MonitorMetrics(ServiceMetrics):
    """Every feature, window and version is in PostgreSQL and on Kafka; here are the newest and the worst."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = ReadingMetrics(self)
        self.windows = WindowMetrics(self)
        self.drift = DriftMetrics(self)
        self.quality = QualityMetrics(self)
        for gauge in (self.windows.end, self.windows.rows, self.drift.threshold, self.drift.alarming,
                      self.drift.uncalibrated, self.drift.hidden, self.drift.definition):
            gauge.set(nan)  # until a window closes: what a number would say is not known

    def declare(self, pipeline: Pipeline) -> None:
        """What the definition in force says."""
        self.windows.size.set(pipeline.windows.size / 1_000)
        self.drift.budget.set(pipeline.drift.false_alarms.windows(pipeline.windows.size))

    def show(self, report: DriftReport, threshold: float, seconds: float) -> None:
        """A window was closed in so many seconds; `threshold`: log p below which a change was significant."""
        self.windows.closed.inc()
        self.windows.seconds.observe(seconds)
        self.windows.end.set(report.window_end / 1_000)
        self.windows.rows.set(report.rows)
        self.drift.threshold.set(-threshold)
        self.drift.show(report)


class WindowMetrics:
    """How windows close. Times are event time."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.closed = service.counter("windows_closed", "Windows with a drift report.")
        self.seconds = service.histogram(
            "window_close_seconds", "From a window's last count to Kafka's confirmation of its report.", WORK_SECONDS)
        self.size = service.gauge("window_size_seconds", "How long a window is.")
        self.end = service.gauge("window_end_timestamp_seconds", "End of the newest window that was closed.")
        self.rows = service.gauge("window_rows", "Rows of the newest window that was closed.")
        self.waiting = service.gauge("windows_waiting", "Windows that some partition has counted and none has closed.")
        self.delay = service.gauge(
            "window_delay_seconds", "How far the fastest partition is past the end of the oldest window that waits.")
        self.late = service.gauge("late_window_counts", "Final counts that came after their window had closed.")


class DriftMetrics:
    """What the newest window's report says."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.alerts = service.counter("drift_alerts", "Windows with an alert.", kind=get_args(AlertKind))
        self.firings = service.counter("detector_firings", "Changes that a label-based detector saw.",
                                       detector=get_args(DetectorName))
        self.budget = service.gauge("drift_budget_windows", "Declared: at most one false alarm in so many windows.")
        self.threshold = service.gauge("drift_evidence_threshold",
                                       "Evidence from which a change is significant within the budget.")
        self.effect = service.gauge(
            "drift_effect", "Size of the change, in reference standard deviations or as Cohen's h.", feature=_SHOWN)
        self.evidence = service.gauge(
            "drift_evidence", "Evidence of a change: minus the natural logarithm of its p-value.", feature=_SHOWN)
        self.missing = service.gauge("feature_missing_ratio", "Share of rows without a value.", feature=_SHOWN)
        self.alarming = service.gauge("features_alarming", "Features that break the budget.")
        self.uncalibrated = service.gauge("features_uncalibrated", "Features that are shown and may not alarm.")
        self.hidden = service.gauge("features_hidden", f"Features beyond {_SHOWN}.")
        self.definition = service.gauge("definition_version",
                                        "Offset of the version of the definition that judges; -1: the file's.")

    def show(self, report: DriftReport) -> None:
        """The report in numbers."""
        ranked = sorted(report.features, key=lambda f: f.log_p)
        for gauge in (self.effect, self.evidence, self.missing):
            gauge.clear()
        for feature in ranked[:FEATURES]:
            self.effect.labels(feature.name).set(feature.effect)
            self.evidence.labels(feature.name).set(-feature.log_p)
            self.missing.labels(feature.name).set(feature.missing)
        self.hidden.set(len(ranked[FEATURES:]))
        self.alarming.set(sum(f.alarm for f in ranked))
        self.uncalibrated.set(sum(not f.calibrated for f in ranked))
        self.definition.set(report.config)
        for firing in report.firings:
            self.firings.labels(firing.detector).inc()


class QualityMetrics:
    """What the newest quality reports say."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.reports = service.counter("quality_reports", "Quality reports written.")
        self.quality = service.gauge(
            "quality", "Live quality in the newest report that names the version; `all`: whatever answered.",
            version=f"`all`, and the {VERSIONS} newest", figure=FIGURES)
        self.rows = service.gauge("quality_rows", "Labelled rows behind that.",
                                  version=f"`all`, and the {VERSIONS} newest")
        self.delay = service.histogram(
            "label_delay_seconds", "Event time from an event to its label.",
            (1, 10, 60, 600, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY))
        self._shown: OrderedDict[str, list[str]] = OrderedDict()

    def show(self, report: QualityReport) -> None:
        """The figures of all answers and of each version, the newest versions only."""
        self.reports.inc()
        for quality in report.qualities:
            if quality.version is None and quality.feature is None:
                self._show(ALL, quality)
        for quality in reversed([q for q in report.qualities if q.version is not None]):
            self._show(str(quality.version), quality)
        while len(self._shown) > VERSIONS + 1:
            self._forget(next(version for version in self._shown if version != ALL))

    def _show(self, version: str, quality: Quality) -> None:
        self._forget(version)
        values = {name: getattr(quality, name) for name in FIGURES}
        self._shown[version] = [name for name, value in values.items() if value is not None]
        self.rows.labels(version).set(quality.rows)
        for name in self._shown[version]:
            self.quality.labels(version, name).set(values[name])

    def _forget(self, version: str) -> None:
        figures = self._shown.pop(version, None)
        if figures is not None:
            self.rows.remove(version)
            for figure in figures:
                self.quality.remove(version, figure)
