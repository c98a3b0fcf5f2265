r"""Kolmogorov-Smirnov distance on cells.

.. math:: D = \max_k \left| \sum_{i \le k} c_i / n - \sum_{i \le k} r_i / m \right|

Convention: the cells of a number in order, without the missing cell. The maximum is over the cell edges only, so D is
at most the distance of the raw samples. Without rows on one side D is 0.

Source: Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 6.3.
"""

import numpy as np

from drift.statistics.shares import Array, Counts, comparable, shares


def kolmogorov_smirnov(reference: Counts, window: Counts) -> Array:
    """Largest difference of the cumulative shares, in [0, 1]: counts (..., cells) to (...).

    >>> rng = np.random.default_rng(0)
    >>> edges = np.array([-1.0, 0.0, 1.0])
    >>> reference, same, moved = (np.bincount(np.searchsorted(edges, rng.normal(mu, 1, 1000))) for mu in (0, 0, 1))
    >>> print(kolmogorov_smirnov(reference, np.stack([same, moved])))
    [0.034 0.371]
    """
    distance = np.abs(np.cumsum(shares(window) - shares(reference), axis=-1)).max(axis=-1)
    return distance * comparable(reference, window)
