"""The product's decision on many windows at once: what `Decider` finds window by window, a test compares the two."""

import numpy as np
from numpy.typing import NDArray

from drift.decision import DecisionSettings
from drift.evidence import ContrastTests
from drift.pooling import Pooling
from drift.profile import ReferenceProfile

_REFERENCE_MULTIPLE = 8  # as drift.decision has it


class WindowJudge:
    """Log p of every feature at many windows. Alarms at any budget and of any set of features follow from it."""

    def __init__(self, profile: ReferenceProfile, settings: DecisionSettings) -> None:
        """The budget in `settings` is not used."""
        self._settings, self._tests = settings, ContrastTests(profile)
        self._pooling = Pooling(profile, settings.history_windows)
        self._most = _REFERENCE_MULTIPLE * np.array([feature.rows for feature in profile.features])
        self.calibrated = np.array([feature.calibrated for feature in profile.features])

    def log_p(self, history: NDArray[np.int64], judged: NDArray[np.int64]) -> NDArray[np.float64]:
        """The least ln(p / weight) among the contrasts that are large enough: shape (judged, features).

        `history` is (windows, profile.size), `judged` are positions in it. Uncalibrated features are judged too. A
        feature alarms, if it may, where its log p is below -ln(budget · features · spans).
        """
        sums = self._pooling.sums(history)
        newest = self._tests.rows(history[judged])
        least = np.full(newest.shape, np.inf)
        for span in self._settings.spans:
            reached = np.flatnonzero(judged + 1 >= span)
            counts, before = self._pooling.at(sums, judged[reached] + 1, span)
            rows = self._tests.rows(counts)
            tested = (rows >= self._settings.min_rows) & (newest[reached] > 0)
            if span > 1:
                tested &= rows <= self._most
            if tested.any():
                strongest = np.where(tested, self._strongest(counts, before), np.inf)
                least[reached] = np.minimum(least[reached], strongest)
        return least

    def _strongest(self, counts: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.float64]:
        log_p, _, lower = self._tests.evaluate(counts, before)
        return np.minimum.reduceat(np.where(lower >= self._settings.min_effect, log_p, np.inf),
                                   self._tests.columns[:-1], axis=1)
