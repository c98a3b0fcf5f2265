"""From a closed window to what is said about it: the report, and the alert where the budget is broken. Pure."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drift.decision import Decider, DecisionSettings
from drift.profile import ReferenceProfile
from drift.statistics.jensen_shannon import jensen_shannon
from drift.statistics.ks import kolmogorov_smirnov
from drift.statistics.psi import population_stability_index
from drift.verdict import FeatureVerdict, Verdict
from schemas.messages import AlertKind, DriftAlert, DriftReport, FeatureDrift, Model, derived_id
from schemas.pipeline import Pipeline
from stream_apps.closing import ClosedWindow


@dataclass(kw_only=True)
class DriftJudge:
    """Judges closed windows in order under one reference profile; `history`: counts of those before, oldest first."""

    pipeline: Pipeline
    profile: ReferenceProfile
    history: Iterable[NDArray[np.int64]] = ()

    def __post_init__(self) -> None:
        drift, windows = self.pipeline.drift, self.pipeline.windows
        self._settings = DecisionSettings(budget_windows=drift.false_alarms.windows(windows.size),
                                          min_effect=drift.min_effect, scales=drift.scales, min_rows=windows.min_rows)
        self._history = deque(self.history, maxlen=self._settings.history_windows)
        self._decider = Decider(self.profile, self._settings)
        self._index = {feature.name: index for index, feature in enumerate(self.profile.features)}
        self._offsets = self.profile.offsets.tolist()

    def remember(self, window: ClosedWindow) -> None:
        """Take a window into the history."""
        self._history.append(window.counts)

    def judge(self, window: ClosedWindow) -> tuple[DriftReport, Verdict]:
        """Remember the window and say what it shows."""
        self.remember(window)
        verdict = self._decider.decide(np.array(self._history))
        features = [self._feature(f, window.counts) for f in verdict.features]
        report = DriftReport(
            window_start=window.start, window_end=window.start + self.pipeline.windows.size, profile=window.profile,
            rows=window.rows, covered=window.covered, pipeline_digest=self.pipeline.digest, alarm=verdict.alarm,
            verdict=verdict.words, features=features,
        )
        return report, verdict

    def alert(self, report: DriftReport, verdict: Verdict, model: Model, labelled_offset: int) -> DriftAlert:
        """The alert of a window whose verdict is an alarm."""
        guilty = [f for f in verdict.features if f.alarm]
        kind: AlertKind = "missing" if guilty[0].contrast == "missing" else "covariate"
        size = self.pipeline.windows.size
        return DriftAlert(
            alert_id=derived_id(self.pipeline.name, report.profile, kind, report.window_start), kind=kind,
            window_start=report.window_start, window_end=report.window_end, scale=guilty[0].scale,
            onset=report.window_start - (verdict.onset or 0) * size, features=[f.name for f in guilty],
            sentence=verdict.words, budget=str(self.pipeline.drift.false_alarms), profile=report.profile, model=model,
            labelled_offset=labelled_offset,
        )

    def _feature(self, verdict: FeatureVerdict, counts: NDArray[np.int64]) -> FeatureDrift:
        index = self._index[verdict.name]
        feature = self.profile.features[index]
        first, last = self._offsets[index], self._offsets[index + 1]
        reference, live = np.array(feature.counts[:-1]), counts[first : last - 1]
        shown = bool(live.sum() and reference.sum())
        ordered = feature.kind == "number"
        return FeatureDrift(
            name=verdict.name, rows=verdict.rows, missing=verdict.missing,
            ks=kolmogorov_smirnov(reference, live) if shown and ordered else None,
            psi=population_stability_index(reference, live) if shown else None,
            jensen_shannon=jensen_shannon(reference, live) if shown else None,
            effect=verdict.effect, lower_bound=verdict.lower_bound, log_p=verdict.log_p, scale=verdict.scale,
            contrast=verdict.contrast or "", calibrated=verdict.uncalibrated is None, alarm=verdict.alarm,
        )
