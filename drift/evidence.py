"""Evidence: how unlikely the counts of some windows are, contrast by contrast, if nothing has changed.

Arrays have a row a scale (windows pooled) and a column a contrast, the columns of all features one after another.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, xlogy

from drift.contrasts import LINEAR, scores, weights
from drift.dependence import at_rows
from drift.profile import ReferenceProfile

Array = NDArray[np.float64]

_NORMAL_95 = 1.6448536269514722
_TINY = 1e-300


class _Sample(NamedTuple):
    """Rows n and design effect of the pooled windows, of the reference and what joins it (m), and degrees of freedom.

    Each has shape (scales, features).
    """

    n: Array
    effect: Array
    m: Array
    reference_effect: Array
    degrees: Array

    @property
    def variance(self) -> Array:
        """Of the difference of two means of a score with unit variance."""
        return self.effect / self.n + self.reference_effect / self.m

    def of(self, feature: NDArray[np.int64]) -> "_Sample":
        """The same by cell instead of by feature."""
        return _Sample(*(part[..., feature] for part in self))


class ContrastTests:
    """All contrasts of a profile, compiled to arrays."""

    def __init__(self, profile: ReferenceProfile) -> None:
        """Everything that does not depend on a window's counts."""
        features = profile.features
        cells = [len(feature.counts) for feature in features]
        self._starts = profile.offsets[:-1]
        self._feature = np.repeat(np.arange(len(features)), cells)
        self._cell_columns = np.arange(profile.size) + LINEAR * (self._feature + 1)
        self._linear_columns = np.stack(
            [self._starts + LINEAR * np.arange(len(features)) + each for each in range(LINEAR)]
        )
        self.columns = profile.offsets + LINEAR * np.arange(len(features) + 1)
        counts = [np.array(feature.counts) for feature in features]
        self._reference = np.concatenate(counts).astype(np.float64)
        self._rows = np.add.reduceat(self._reference, self._starts)
        self._scores = np.hstack([scores(feature.kind, count) for feature, count in zip(features, counts, strict=True)])
        self._skewness = np.add.reduceat(self._scores**3 * self._reference, self._starts, axis=1) / self._rows
        alive = np.add.reduceat(self._scores != 0, self._starts, axis=1) > 0
        weight = np.concatenate([weights(feature.kind, size) for feature, size in zip(features, cells, strict=True)])
        weight[self._linear_columns[~alive]] = 0
        with np.errstate(divide="ignore"):
            self.log_weight = np.log(weight)  # -inf: never evidence
        self._effects = np.array([feature.design_effect for feature in features])
        self._degrees = np.array([feature.degrees for feature in features])

    def rows(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of each feature: (..., size) counts to (..., features)."""
        return np.add.reduceat(counts, self._starts, axis=-1)

    def evaluate(self, counts: NDArray[np.int64], before: NDArray[np.int64]) -> Array:
        """Log p, effect and lower bound in pooled counts (scales, size): shape (3, scales, columns).

        `before`, of the same shape, are counts that join the reference at each scale. Log p is ln(p / weight), the
        weight being the contrast's share of its feature's budget: how unlikely it is that the counts differ that much
        from the reference and what joins it. The effect is against the profile alone, so that a change which stays
        keeps its size, and signed: reference standard deviations for location and scale, Cohen's h for indicators; the
        lower bound is the 95 % bound of its size. A difference that leads back to the profile is no evidence. Where a
        feature has no rows all three mean nothing, but are finite or infinite.
        """
        rows = np.maximum(self.rows(counts), 1).astype(np.float64)
        joining = self.rows(before)
        alone, joined = self._sample(rows, np.zeros_like(joining)), self._sample(rows, joining)
        result = np.empty((3, len(counts), self.log_weight.size))
        result[:, :, self._cell_columns] = self._indicators(counts, before, alone, joined)
        for columns, score, skewness in zip(self._linear_columns, self._scores, self._skewness, strict=True):
            # over the profile's own rows a score has mean 0
            effect = self._total(counts, score) / rows
            difference = effect - self._total(before, score) / joined.m
            z = np.where(difference * effect > 0, _linear_deviate(difference, skewness, joined), 0.0)
            result[:, :, columns] = log_two_sided(z, joined.degrees), effect, _lower_bound(effect, alone)
        result[0] -= self.log_weight
        return result

    def _total(self, counts: NDArray[np.int64], score: Array) -> Array:
        return np.add.reduceat(counts * score, self._starts, axis=1)

    def _sample(self, rows: Array, before: NDArray[np.int64]) -> _Sample:
        effect, degrees = (at_rows(table, rows) for table in (self._effects, self._degrees))
        reference: Array = np.asarray(self._rows + before, dtype=np.float64)
        joined = np.where(before > 0, at_rows(self._effects, reference), self._effects[:, -1])
        return _Sample(rows, effect, reference, joined, np.minimum(degrees, self._degrees[:, -1]))

    def _indicators(self, counts: NDArray[np.int64], before: NDArray[np.int64], alone: _Sample,
                    joined: _Sample) -> tuple[Array, ...]:
        alone, joined = alone.of(self._feature), joined.of(self._feature)
        reference, share = self._reference + before, counts / joined.n
        root = likelihood_root(counts / joined.effect, joined.n / joined.effect, reference / joined.reference_effect,
                               joined.m / joined.reference_effect)
        effect = 2 * (np.arcsin(np.sqrt(share)) - np.arcsin(np.sqrt(self._reference / alone.m)))
        root = np.where((share - reference / joined.m) * effect > 0, root, 0.0)
        return (log_two_sided(root, self._cell_degrees(joined, reference)), effect,
                _lower_bound(effect, alone._replace(degrees=self._cell_degrees(alone, self._reference))))

    def _cell_degrees(self, sample: _Sample, reference: Array) -> Array:
        """The clusters seen in the reference bound what it can know of a cell's frequency."""
        seen = np.maximum(3.0, reference / sample.reference_effect)
        return np.minimum(sample.degrees, np.where(sample.reference_effect > 1.5, seen, np.inf))  # noqa: PLR2004


def _linear_deviate(difference: Array, skewness: Array, sample: _Sample) -> Array:
    """Deviate of a difference of mean scores, with the first Cornish-Fisher term for the skewness of the score."""
    n, window, m, reference, _ = sample
    variance = sample.variance
    z = difference / np.sqrt(variance)
    cumulant = window**2 / n**2 + 3 * window * reference / (m * n) + 2 * reference**2 / m**2
    corrected = z - skewness * cumulant / variance**1.5 * (np.minimum(z**2, 64.0) - 1) / 6
    return np.where(corrected * z > 0, corrected, 0.0)


def likelihood_root(x: Array, n: Array, y: Array, m: Array) -> Array:
    """Size of the root of the two-binomial likelihood ratio, x of n against y of m effective rows (real numbers).

    x is moved by 1/2 toward its expectation (continuity correction), y the other way, so that the margin stays.
    """
    pooled = (x + y) / (n + m)
    expected = n * pooled
    moved = np.where(x > expected, np.maximum(x - 0.5, expected), np.minimum(x + 0.5, expected))
    rest = x + y - moved
    terms = ((moved, expected), (n - moved, n - expected), (rest, m * pooled), (m - rest, m - m * pooled))
    ratio = sum(xlogy(np.maximum(seen, 0), np.maximum(seen, _TINY) / np.maximum(due, _TINY)) for seen, due in terms)
    return np.sqrt(np.maximum(2 * ratio, 0.0))


def log_two_sided(t: Array, degrees: Array) -> Array:
    """Log of the two-sided p-value of a Student t deviate, by Wallace's (1959) normal equivalent: no underflow."""
    z = (8 * degrees + 1) / (8 * degrees + 3) * np.sqrt(degrees * np.log1p(t * t / degrees))
    return np.log(2.0) + log_ndtr(-z)


def _lower_bound(effect: Array, sample: _Sample) -> Array:
    """One-sided 95 % bound of the size, at least 0; the t quantile inverts the normal equivalent above."""
    degrees = sample.degrees
    normal = _NORMAL_95 * (8 * degrees + 3) / (8 * degrees + 1)
    quantile = np.sqrt(degrees * np.expm1(normal**2 / degrees))
    return np.maximum(0.0, np.abs(effect) - quantile * np.sqrt(sample.variance))
