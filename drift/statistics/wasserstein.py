r"""Wasserstein distance (first order, the earth mover's) in reference standard deviations.

.. math:: W = \frac{1}{\sigma_q} \sum_k \left| \sum_{i \le k} (p_i - q_i) \right| (x_{k+1} - x_k)

Convention: as in `moments`: the cells of a number in order, without the missing cell, and all rows of a cell at its
midpoint x, rows out of range at the nearest edge, on both sides. So rows far out of range count as just outside, and
moves within a cell as none. Without rows on one side, or without spread in the reference, W is 0.

Source: Vallender, Calculation of the Wasserstein distance between probability distributions on the line, Theory of
Probability and its Applications 18, 1974.
"""

import numpy as np

from drift.statistics.moments import standard_deviation
from drift.statistics.shares import Array, Counts, comparable, shares


def wasserstein(reference: Counts, window: Counts, midpoints: Array) -> Array:
    """Distance of counts (..., cells) whose cells lie at `midpoints` (..., cells), ascending; at least 0.

    >>> rng = np.random.default_rng(0)
    >>> edges, midpoints = np.arange(-4, 5), np.arange(-4.5, 5)
    >>> reference, window = (np.bincount(np.searchsorted(edges, rng.normal(mu, 1, 10_000)), minlength=10)
    ...                      for mu in (0, 0.5))
    >>> print(wasserstein(reference, window, midpoints).round(2))
    0.49
    """
    unit = standard_deviation(reference, midpoints)
    apart = np.abs(np.cumsum(shares(window) - shares(reference), axis=-1))[..., :-1]
    distance = (apart * np.diff(midpoints, axis=-1)).sum(axis=-1)
    return distance / np.where(comparable(reference, window) & (unit > 0), unit, np.inf)
