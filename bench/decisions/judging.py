"""The product's decision on many windows at once: what `Decider` finds window by window, a test compares the two."""

import numpy as np
from numpy.typing import NDArray

from drift.decision import DecisionSettings
from drift.evidence import ContrastTests
from drift.profile import ReferenceProfile

_REFERENCE_MULTIPLE = 8  # as drift.decision has it


class WindowJudge:
    """Log p of every feature at many windows. Alarms at any budget and of any set of features follow from it."""

    def __init__(self, profile: ReferenceProfile, settings: DecisionSettings) -> None:
        """The budget in `settings` is not used."""
        self._settings, self._tests = settings, ContrastTests(profile)
        self._most = _REFERENCE_MULTIPLE * np.array([feature.rows for feature in profile.features])
        self.calibrated = np.array([feature.calibrated for feature in profile.features])

    def log_p(self, history: NDArray[np.int64], judged: NDArray[np.int64]) -> NDArray[np.float64]:
        """The least ln(p / weight) among the contrasts that are large enough: shape (judged, features).

        `history` is (windows, profile.size), `judged` are positions in it. Uncalibrated features are judged too. A
        feature alarms, if it may, where its log p is below -ln(budget · features · scales).
        """
        sums = np.concatenate((np.zeros_like(history[:1]), np.cumsum(history, axis=0)))
        newest = self._tests.rows(history[judged])
        least = np.full(newest.shape, np.inf)
        for scale in range(self._settings.scales):
            reached = np.flatnonzero(judged + 1 >= 2**scale)
            ends = judged[reached] + 1
            pooled = sums[ends] - sums[ends - 2**scale]
            rows = self._tests.rows(pooled)
            tested = (rows >= self._settings.min_rows) & (newest[reached] > 0)
            if scale:
                tested &= rows <= self._most
            if tested.any():
                least[reached] = np.minimum(least[reached], np.where(tested, self._strongest(pooled), np.inf))
        return least

    def _strongest(self, pooled: NDArray[np.int64]) -> NDArray[np.float64]:
        log_p, _, lower = self._tests.evaluate(pooled)
        return np.minimum.reduceat(np.where(lower >= self._settings.min_effect, log_p, np.inf),
                                   self._tests.columns[:-1], axis=1)
