"""Rules that others use, as evidence: a number for each window and feature, compared with a level that can be set.

A rule sees the reference (m, features), `live` rows (rows, features), and scores the last full windows of 100 rows;
what comes before them is history. NaN is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import kolmogorov

from bench.decisions.judging import WindowJudge
from bench.decisions.streams import Matrix, Stream, independent
from drift.decision import DecisionSettings

WINDOW = 100
SETTINGS = DecisionSettings(budget_windows=100)
_PLAIN = Stream(name="numbers", draw=independent)
_FLOOR = 1e-4  # of a share in PSI
_CLOCK, _BUCKETS, _SHORTEST = 32, 5, 5  # river's ADWIN
_WIDE, _RECENT, _EVERY = 100, 30, 10  # river's KSWIN; it tests at every row, here at every tenth

Evidence = Callable[[Matrix, Matrix, int], Matrix]  # reference, live, windows to score: (windows, features)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Alarms where any feature's evidence exceeds the level; if `vote`, where the share of features beyond it does."""

    name: str
    evidence: Evidence
    vote: bool = False

    def score(self, evidence: Matrix) -> NDArray[np.float64]:
        """One number a window: (windows, features) to (windows,)."""
        return evidence.mean(axis=1) if self.vote else evidence.max(axis=1)


def budgeted(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """Ours: -ln p, weighted, of each feature's strongest contrast that is large enough."""
    profile = _PLAIN.profile(reference)
    counts = _PLAIN.counts(profile, live, WINDOW)
    return -WindowJudge(profile, SETTINGS).log_p(counts, np.arange(len(counts) - windows, len(counts)))


def kolmogorov_smirnov(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """The KS distance of a window times √(nm/(n+m)); missing values are left out."""
    rows = np.sort(live[-windows * WINDOW:].reshape(windows, WINDOW, -1), axis=1)  # NaN comes last
    n = np.isfinite(rows).sum(axis=1, keepdims=True)
    above = np.minimum(np.arange(1, WINDOW + 1)[:, None], n) / np.maximum(n, 1)
    below = np.minimum(np.arange(WINDOW)[:, None], n) / np.maximum(n, 1)
    found = np.empty((windows, live.shape[1]))
    for feature, column in enumerate(np.sort(reference, axis=0).T):
        known = column[np.isfinite(column)]
        values, present = rows[:, :, feature], np.isfinite(rows[:, :, feature])
        right = np.searchsorted(known, values, "right") / known.size
        left = np.searchsorted(known, values, "left") / known.size
        steps = np.diff(values, axis=1) != 0  # of values that are tied only the last is above, only the first is below
        last, first = (np.pad(steps, ((0, 0), side), constant_values=True) for side in ((0, 1), (1, 0)))
        apart = np.maximum(last * np.abs(above[:, :, feature] - right), first * np.abs(below[:, :, feature] - left))
        size = n[:, 0, feature] * known.size / (n[:, 0, feature] + known.size)
        found[:, feature] = np.sqrt(size) * np.where(present, apart, 0).max(axis=1)
    return found


def share_drifted(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """Whether a feature's KS p-value is below 0.05 (asymptotic, with Stephens' correction for short samples)."""
    size = WINDOW * len(reference) / (WINDOW + len(reference))
    distance = kolmogorov_smirnov(reference, live, windows)
    return (kolmogorov(distance * (1 + 0.12 / np.sqrt(size) + 0.11 / size)) < 0.05).astype(np.float64)


def stability_index(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """PSI of a window over the reference's tenths and missing, shares at least 0.0001."""
    found = np.empty((windows, live.shape[1]))
    for feature in range(live.shape[1]):
        edges = np.unique(np.nanquantile(reference[:, feature], np.arange(1, 10) / 10))
        shares = [_tenths(edges, rows) for rows in (
            live[-windows * WINDOW:, feature].reshape(windows, WINDOW), reference[None, :, feature])]
        found[:, feature] = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum(axis=1)
    return found


def _tenths(edges: NDArray[np.float64], rows: Matrix) -> Matrix:
    cells = np.where(np.isnan(rows), edges.size + 1, np.searchsorted(edges, rows))
    shares = np.stack([(cells == cell).mean(axis=1) for cell in range(edges.size + 2)], axis=1)
    return np.maximum(shares, _FLOOR)


def adaptive_windowing(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """ADWIN as river has it: ln(1/δ) of the largest δ's complement, that is of the smallest δ at which it would fire.

    Until it fires, its buckets depend on the number of rows only: cuts come from cumulative sums. Missing values, at
    which it goes blind, are replaced by the reference's mean.
    """
    centre = np.nanmean(reference, axis=0)
    rows = np.nan_to_num(np.concatenate((reference, live)) - centre, nan=0.0)
    zero = np.zeros((1, rows.shape[1]))
    sums, squares = (np.concatenate((zero, np.cumsum(each, axis=0))) for each in (rows, rows**2))
    first = len(rows) - windows * WINDOW
    found = np.zeros((windows, rows.shape[1]))
    for width, buckets in _bucket_sizes(len(rows)):
        if width > first:
            window = (width - 1 - first) // WINDOW
            variance = squares[width] / width - (sums[width] / width) ** 2
            found[window] = np.maximum(found[window], _cut_evidence(sums[:width + 1], variance, buckets))
    return found


def adaptive_from_reference(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """ADWIN that has seen the reference and not the history: it knows as much of the past as ours does."""
    return adaptive_windowing(reference, live[-windows * WINDOW:], windows)


def _bucket_sizes(rows: int) -> list[tuple[int, list[int]]]:
    """At every look, rows so far and buckets of each level, the youngest and smallest (one row) first."""
    found, levels = [], [0]
    for row in range(1, rows + 1):
        levels[0] += 1
        level = 0
        while levels[level] > _BUCKETS:
            levels[level] -= 2
            level += 1
            if level == len(levels):
                levels.append(0)
            levels[level] += 1
        if row % _CLOCK == 0:
            found.append((row, levels.copy()))
    return found


def _cut_evidence(sums: Matrix, variance: NDArray[np.float64], buckets: list[int]) -> NDArray[np.float64]:
    """Largest over all cuts: the bound √(2vLh) + 2Lh/3 on the difference of means is solved for L = ln(2 ln n/δ)."""
    width = len(sums) - 1
    ends = np.cumsum([2**level for level in range(len(buckets) - 1, -1, -1) for _ in range(buckets[level])])
    n = ends[(ends >= _SHORTEST) & (width - ends >= _SHORTEST), None]
    total = sums[n[:, 0]]
    apart = np.abs(total / n - (sums[-1] - total) / (width - n))
    harmonic = 1 / (n - _SHORTEST + 1) + 1 / (width - n - _SHORTEST + 1)
    spread = np.sqrt(2 * harmonic * variance)
    root = (np.sqrt(spread**2 + 8 / 3 * harmonic * apart) - spread) / (4 / 3 * harmonic)
    return (root**2).max(axis=0) - np.log(2 * np.log(width))


def windowed_ks(reference: Matrix, live: Matrix, windows: int) -> Matrix:
    """KSWIN as river has it: KS distance of the last 30 rows from 30 drawn of the 70 before, the largest in a window.

    Missing values, for which it has no rule, are replaced by the reference's mean.
    """
    rows = np.where(np.isnan(live), np.nanmean(reference, axis=0), live)
    spans = sliding_window_view(rows, _WIDE, axis=0)[-windows * WINDOW + _EVERY - 1::_EVERY]  # (looks, features, 100)
    rng = np.random.default_rng(0)
    drawn = np.argsort(rng.random((len(spans), 1, _WIDE - _RECENT)), axis=2)[:, :, :_RECENT]
    older = np.take_along_axis(spans, drawn, axis=2)
    order = np.argsort(np.concatenate((older, spans[:, :, -_RECENT:]), axis=2), axis=2)
    steps = np.cumsum(np.where(order < _RECENT, 1, -1), axis=2)
    return np.abs(steps).max(axis=2).reshape(windows, -1, live.shape[1]).max(axis=1) / _RECENT


OURS = Rule(name="ours", evidence=budgeted)
RULES = (
    OURS,
    Rule(name="KS of each feature", evidence=kolmogorov_smirnov),
    Rule(name="PSI of each feature", evidence=stability_index),
    Rule(name="ADWIN", evidence=adaptive_windowing),
    Rule(name="ADWIN without the history", evidence=adaptive_from_reference),
    Rule(name="KSWIN", evidence=windowed_ks),
    Rule(name="share of features with KS p < 0.05", evidence=share_drifted, vote=True),
)
