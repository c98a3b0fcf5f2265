"""Which windows are judged together, and what they are compared with: the reference and the windows before them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drift.profile import ReferenceProfile

Counts = NDArray[np.int64]


def spans_of(scales: int) -> tuple[int, ...]:
    """How many windows are pooled: 1, 2, 3, 4, 6, 8, 12, ... 2^(scales - 1), every power of two and a step between."""
    between = (3 * 2**k for k in range(scales - 2))
    return tuple(sorted({*(2**k for k in range(scales)), *between}))


class Sums(NamedTuple):
    """Running sums of windows, oldest first: cell counts (windows + 1, size), and rows (windows + 1, features)."""

    counts: Counts
    rows: Counts


class Pooling:
    """Counts of the last windows, and of what extends the reference, for any number of closed windows at once.

    The windows before the pooled ones are as good a reference as the profile while nothing changes, and make a small
    one larger. At most as many rows as the feature's reference has are taken, the newest first, so that a change which
    stays is seen at half its size at least. Of an uncalibrated feature none are: so little is known of its dependence
    that a reference of twice the rows would look twice as good as it is.
    """

    def __init__(self, profile: ReferenceProfile, history: int) -> None:
        """`history`: windows that are looked back on, the closed one included."""
        self._history = history
        self._starts = profile.offsets[:-1]
        self._most = np.array([feature.rows if feature.calibrated else 0 for feature in profile.features])
        self._cells = np.arange(profile.size)
        self._feature = np.repeat(np.arange(len(profile.features)), np.diff(profile.offsets))

    def sums(self, windows: Counts) -> Sums:
        """Running sums of windows (windows, size), oldest first: once for all spans."""
        counts = np.concatenate((np.zeros_like(windows[:1]), np.cumsum(windows, axis=0)))
        return Sums(counts, np.add.reduceat(counts, self._starts, axis=1))

    def at(self, sums: Sums, ends: NDArray[np.int64], span: int) -> tuple[Counts, Counts]:
        """Counts of the `span` windows up to each of `ends`, and of what comes before: both (ends, size).

        `ends` are positions in `sums`, at least `span`.
        """
        first = ends - span
        back = np.arange(max(0, self._history - span) + 1)
        places = np.maximum(first[:, np.newaxis] - back, np.maximum(0, ends - self._history)[:, np.newaxis])
        fits = sums.rows[first][:, np.newaxis] - sums.rows[places] <= self._most  # (ends, windows back, features)
        furthest = np.take_along_axis(places, fits.sum(axis=1) - 1, axis=1)
        before = sums.counts[first] - sums.counts[furthest[:, self._feature], self._cells]
        return sums.counts[ends] - sums.counts[first], before
