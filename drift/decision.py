"""The decision at each closed window: at most one false alarm in N windows, jointly over features and scales."""

from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from drift.errors import CountsError
from drift.evidence import ContrastTests
from drift.profile import FeatureProfile, ReferenceProfile
from drift.verdict import Contrast, FeatureVerdict, Verdict, words

WindowHistory = NDArray[np.int64]  # (windows, profile.size), newest last, all of one profile

_REFERENCE_MULTIPLE = 8  # pooling more rows than this many references only repeats the reference's own error


class DecisionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`budget_windows`: one false alarm in so many windows. `min_effect`: see `FeatureVerdict.lower_bound`.

    `scales`: windows are pooled by 1, 2, 4, ... 2^(scales - 1). `min_rows`: fewer are not judged.
    """

    budget_windows: Annotated[float, Meta(ge=1)]
    min_effect: Annotated[float, Meta(ge=0)] = 0.05
    scales: Annotated[int, Meta(ge=1, le=20)] = 7
    min_rows: Annotated[int, Meta(ge=1)] = 30

    @property
    def history_windows(self) -> int:
        """Count vectors to keep, the closed window's included."""
        return 2 ** (self.scales - 1)


def decide(profile: ReferenceProfile, history: WindowHistory, settings: DecisionSettings) -> Verdict:
    """One decision; where there are many, keep a `Decider`."""
    return Decider(profile, settings).decide(history)


class Decider:
    """Decides window after window on one profile and one budget. It keeps no state: the history is passed in."""

    def __init__(self, profile: ReferenceProfile, settings: DecisionSettings) -> None:
        """Compile what depends on the profile and settings only."""
        self._settings = settings
        self._features = profile.features
        self._names = [_contrasts(feature) for feature in profile.features]
        self._offsets = profile.offsets.tolist()
        self._tests = ContrastTests(profile)
        self._most = _REFERENCE_MULTIPLE * np.array([feature.rows for feature in profile.features])
        self.threshold = -float(np.log(settings.budget_windows * len(profile.features) * settings.scales))

    def decide(self, history: WindowHistory) -> Verdict:
        """The verdict on the newest window of `history`; windows older than the longest scale are ignored.

        Raises CountsError where the history is empty or not of this profile's size.
        """
        size = self._offsets[-1]
        if history.ndim != 2 or len(history) == 0 or history.shape[1] != size:  # noqa: PLR2004
            msg = f"a history needs shape (1 or more, {size}); it has {history.shape}: never mix profiles"
            raise CountsError(msg)
        newest = history[-1]
        rows = self._tests.rows(newest)
        ranked = self._ranked(self._evidence(self._pooled(history), rows), newest)
        most = int(rows.max())
        alarm, no_data = ranked[0].alarm, most < self._settings.min_rows
        return Verdict(
            alarm=alarm,
            significant=any(feature.significant for feature in ranked),
            no_data=no_data,
            rows=most,
            threshold=self.threshold,
            onset=ranked[0].scale - 1 if alarm else None,
            features=ranked,
            words=words(ranked, rows=most, no_data=no_data),
        )

    def _pooled(self, history: WindowHistory) -> NDArray[np.int64]:
        """Sums of the last 1, 2, 4, ... windows, as far as the history reaches: shape (scales, size)."""
        spans = 2 ** np.arange(self._settings.scales)
        spans = spans[spans <= len(history)]
        backwards = history[: -spans[-1] - 1 : -1]
        return np.cumsum(np.add.reduceat(backwards, np.append(0, spans[:-1]), axis=0), axis=0)

    def _evidence(self, pooled: NDArray[np.int64], newest_rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log p, effect and lower bound, shape (3, scales, columns); log p is infinite where nothing is tested."""
        rows = self._tests.rows(pooled)
        tested = (rows >= self._settings.min_rows) & (newest_rows > 0)  # an empty window brings no evidence of its own
        tested[1:] &= rows[1:] <= self._most
        evidence = self._tests.evaluate(pooled)
        evidence[0, ~np.repeat(tested, np.diff(self._tests.columns), axis=1)] = np.inf
        return evidence

    def _ranked(self, evidence: NDArray[np.float64], newest: NDArray[np.int64]) -> tuple[FeatureVerdict, ...]:
        columns = pairwise(self._tests.columns.tolist())
        cells = pairwise(self._offsets)
        verdicts = [
            self._feature(index, evidence[:, :, start:end], newest[first:last])
            for index, ((start, end), (first, last)) in enumerate(zip(columns, cells, strict=True))
        ]
        return tuple(sorted(verdicts, key=lambda feature: (not feature.alarm, feature.log_p, feature.name)))

    def _feature(self, index: int, evidence: NDArray[np.float64], newest: NDArray[np.int64]) -> FeatureVerdict:
        """By the strongest contrast that is also large enough, else by the strongest."""
        feature, rows = self._features[index], int(newest.sum())
        log_p, _, lower = evidence
        alarms = (log_p < self.threshold) & (lower >= self._settings.min_effect) & feature.calibrated
        alarm = bool(alarms.any())
        best = np.where(alarms, log_p, np.inf).argmin() if alarm else log_p.argmin()
        scale, column = divmod(int(best), log_p.shape[1])
        found, effect, bound = evidence[:, scale, column].tolist()
        window = FeatureVerdict(
            name=feature.name,
            rows=rows,
            missing=int(newest[-1]) / max(rows, 1),
            uncalibrated=feature.uncalibrated,
        )
        if found == np.inf:
            return window
        contrast, cell = self._names[index][column]
        return msgspec.structs.replace(
            window,
            contrast=contrast,
            cell=cell,
            scale=2**scale,
            effect=effect,
            lower_bound=bound,
            log_p=min(0.0, found),
            significant=found < self.threshold,
            alarm=alarm,
        )


def _contrasts(feature: FeatureProfile) -> list[tuple[Contrast, str | None]]:
    """What each column is called: the contrast, and which cell."""
    cells: list[tuple[Contrast, str | None]] = [("cell", label) for label in feature.labels[:-1]]
    return [("location", None), ("scale", None), *cells, ("missing", None)]
