r"""Shift of the mean and of the spread, in reference standard deviations.

.. math:: \frac{\mu_p - \mu_q}{\sigma_q}, \quad \frac{\sigma_p - \sigma_q}{\sigma_q}, \quad
          \mu_p = \sum_k p_k x_k, \quad \sigma_p^2 = \sum_k p_k (x_k - \mu_p)^2

Convention: the cells of a number in order, without the missing cell; all rows of a cell lie at its midpoint x, rows out
of range at the nearest edge (`number_midpoints`), on both sides, so that equal shares give 0. What lies far out is
understated, and a number with few distinct values lies half a step low. Without rows on one side, or without spread in
the reference, both are 0.

Source: Glass, Primary, secondary, and meta-analysis of research, Educational Researcher 5, 1976 (the control group's
deviation as the unit).
"""

from typing import NamedTuple

import numpy as np

from drift.statistics.shares import Array, Counts, comparable, shares


class MomentShift(NamedTuple):
    """Window less reference, in reference standard deviations: each of shape (...)."""

    mean: Array
    spread: Array


def moment_shift(reference: Counts, window: Counts, midpoints: Array) -> MomentShift:
    """Shift of counts (..., cells) whose cells lie at `midpoints` (..., cells).

    >>> rng = np.random.default_rng(0)
    >>> edges, midpoints = np.arange(-4, 5), np.arange(-4.5, 5)
    >>> reference, window = (np.bincount(np.searchsorted(edges, rng.normal(mu, sd, 10_000)), minlength=10)
    ...                      for mu, sd in ((0, 1), (0.5, 1.2)))
    >>> print(*(each.round(2) for each in moment_shift(reference, window, midpoints)))
    0.48 0.18
    """
    (low, narrow), (mean, spread) = _moments(reference, midpoints), _moments(window, midpoints)
    unit = np.where(comparable(reference, window) & (narrow > 0), narrow, np.inf)
    return MomentShift((mean - low) / unit, (spread - narrow) / unit)


def _moments(counts: Counts, midpoints: Array) -> tuple[Array, Array]:
    share = shares(counts)
    mean = (share * midpoints).sum(axis=-1)
    return mean, np.sqrt((share * (midpoints - mean[..., np.newaxis]) ** 2).sum(axis=-1))


def standard_deviation(counts: Counts, midpoints: Array) -> Array:
    """Of counts (..., cells), in the unit of the midpoints; 0 without rows."""
    return _moments(counts, midpoints)[1]
