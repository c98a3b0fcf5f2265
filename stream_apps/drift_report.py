"""From a closed window to what is said about it: the report, and the alert where the budget is broken. Pure."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drift.decision import Decider, DecisionSettings
from drift.profile import ReferenceProfile
from drift.shown import FeatureStatistics, ShownStatistics
from drift.verdict import FeatureVerdict, Verdict
from schemas.configuration import NO_VERSION
from schemas.messages import AlertKind, DriftAlert, DriftReport, FeatureDrift, Model, derived_id
from schemas.model_log import NO_EPOCH
from schemas.pipeline import Pipeline
from stream_apps.closing import ClosedWindow
from stream_apps.loss_watch import LossWatch, alerting_firing, detector_alert


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """The reference of what one model says, and the epoch under which its answers are counted."""

    epoch: int
    reference: ReferenceProfile


class _Watched:
    """What is judged together, compiled: the features, the predictions of at most one model, the loss."""

    def __init__(self, profile: ReferenceProfile, predictions: Predictions | None, settings: DecisionSettings) -> None:
        watched = profile.watched(None if predictions is None else predictions.reference)
        self.predictions = predictions
        self.decider = Decider(watched, settings)
        self.statistics = ShownStatistics(watched)
        self.names = [feature.name for feature in watched.features]
        self._cells = list(pairwise(watched.offsets.tolist()))
        self._nothing_said = np.zeros(0 if predictions is None else predictions.reference.size, dtype=np.int64)
        self._no_losses = np.zeros(0 if profile.loss is None else len(profile.loss.counts), dtype=np.int64)

    def counts(self, window: ClosedWindow) -> NDArray[np.int64]:
        """Of one window; what other models said is left out."""
        said = self._nothing_said if self.predictions is None else window.predictions.get(
            self.predictions.epoch, self._nothing_said)
        return np.concatenate((window.counts, said, self._no_losses if window.losses is None else window.losses))

    def by_feature(self, counts: NDArray[np.int64]) -> dict[str, list[int]]:
        """The counts of each feature's cells."""
        return {name: counts[first:end].tolist() for name, (first, end) in zip(self.names, self._cells, strict=True)}


@dataclass(kw_only=True)
class DriftJudge:
    """Judges closed windows in order under one reference profile; those judged before a restart are remembered."""

    pipeline: Pipeline
    profile: ReferenceProfile
    config: int = NO_VERSION

    def __post_init__(self) -> None:
        self._history: deque[ClosedWindow] = deque(maxlen=self.pipeline.drift.history_windows)
        self._settings = _settings(self.pipeline)
        self._watched: _Watched | None = None
        self.loss_watch = LossWatch(pipeline=self.pipeline, profile=self.profile)

    def obey(self, pipeline: Pipeline, config: int) -> None:
        """Judge the windows from here on by this version of the definition, which has the same windows, scales and
        detectors: what is remembered stays."""
        if config != self.config:  # to compile again takes as long as many windows
            self.pipeline, self.config = pipeline, config
            self._settings, self._watched = _settings(pipeline), None

    def remember(self, window: ClosedWindow) -> None:
        """Take a window into the history."""
        self._history.append(window)

    def judge(self, window: ClosedWindow, labelled: int = 0,
              predictions: Predictions | None = None) -> tuple[DriftReport, Verdict]:
        """Remember the window and say what it shows; `labelled`: end of the rows of `labelled` that were counted;
        `predictions`: of the model whose answers are watched."""
        self.remember(window)
        watched = self._watching(predictions)
        verdict = watched.decider.decide(np.array([watched.counts(before) for before in self._history]))
        counts = watched.counts(window)
        shown = dict(zip(watched.names, watched.statistics.of(counts), strict=True))
        cells = watched.by_feature(counts)
        report = DriftReport(
            window_start=window.start, window_end=window.start + self.pipeline.windows.size, profile=window.profile,
            rows=window.rows, covered=window.covered, labelled=labelled, pipeline_digest=self.pipeline.digest,
            alarm=verdict.alarm, verdict=verdict.words,
            features=[_feature(f, shown[f.name], cells[f.name]) for f in verdict.features],
            onset=None if verdict.onset is None else self._history[-1 - verdict.onset].start,
            firings=list(window.firings), config=self.config,
            predictions=NO_EPOCH if predictions is None else predictions.epoch,
        )
        return report, verdict

    def _watching(self, predictions: Predictions | None) -> _Watched:
        if self._watched is None or self._watched.predictions != predictions:
            self._watched = _Watched(self.profile, predictions, self._settings)
        return self._watched

    def alerts(self, report: DriftReport) -> bool:
        """Whether the window has an alert: one at most."""
        return report.alarm or alerting_firing(self.pipeline, report) is not None

    def alert(self, report: DriftReport, verdict: Verdict, model: Model) -> DriftAlert:
        """The alert of a window that has one: the verdict's if it is an alarm, else a detector's."""
        firing = alerting_firing(self.pipeline, report)
        if firing is not None:
            return detector_alert(self.pipeline, report, firing, model)
        guilty = [f for f in verdict.features if f.alarm]
        kind: AlertKind = guilty[0].kind
        return DriftAlert(
            alert_id=derived_id(self.pipeline.name, report.profile, kind, report.window_start), kind=kind,
            window_start=report.window_start, window_end=report.window_end, scale=guilty[0].scale,
            onset=report.window_start if report.onset is None else report.onset, features=[f.name for f in guilty],
            sentence=verdict.words, budget=str(self.pipeline.drift.false_alarms), profile=report.profile, model=model,
            labelled_offset=report.labelled,
        )


def _settings(pipeline: Pipeline) -> DecisionSettings:
    drift, windows = pipeline.drift, pipeline.windows
    return DecisionSettings(budget_windows=drift.false_alarms.windows(windows.size), min_effect=drift.min_effect,
                            scales=drift.scales, min_rows=windows.min_rows)


def _feature(verdict: FeatureVerdict, shown: FeatureStatistics, counts: list[int]) -> FeatureDrift:
    return FeatureDrift(
        name=verdict.name, rows=verdict.rows, missing=verdict.missing, ks=shown.ks, psi=shown.psi,
        jensen_shannon=shown.jensen_shannon, effect=verdict.effect, lower_bound=verdict.lower_bound,
        log_p=verdict.log_p, scale=verdict.scale, contrast=verdict.contrast or "",
        calibrated=verdict.uncalibrated is None, alarm=verdict.alarm, wasserstein=shown.wasserstein,
        chi_square=shown.chi_square, chi_square_p=shown.chi_square_p, mean_shift=shown.mean_shift,
        spread_shift=shown.spread_shift, uncalibrated=verdict.uncalibrated or "", counts=counts,
    )
