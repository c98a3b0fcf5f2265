r"""Chi-square test of equal shares, as the likelihood ratio (the G test).

.. math:: G = 2 \sum_k \left( c_k \ln \frac{c_k}{n s_k} + r_k \ln \frac{r_k}{m s_k} \right), \quad
          s_k = (c_k + r_k) / (n + m)

Convention: window c of n rows against reference r of m rows, both as samples; missing is a cell like any other; cells
empty on both sides are left out, and the K others give K - 1 degrees of freedom; no continuity correction. The p-value
is that of independent rows and of one test: it says nothing of dependence or of many windows, as the decision does.
Without rows on one side, or with one cell, G is 0 and p is 1.

Source: Sokal & Rohlf, Biometry, 4th ed., 2012, section 17.4.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, rel_entr

from drift.statistics.shares import Array, Counts


class GTest(NamedTuple):
    """G, its degrees of freedom, and the p-value: each of shape (...)."""

    statistic: Array
    degrees: NDArray[np.int64]
    p_value: Array


def g_test(reference: Counts, window: Counts) -> GTest:
    """Test of counts (..., cells).

    >>> rng = np.random.default_rng(0)
    >>> reference, window = rng.multinomial(10_000, [0.5, 0.3, 0.2]), rng.multinomial(200, [0.4, 0.3, 0.3])
    >>> found = g_test(reference, window)
    >>> print(found.statistic.round(2), found.degrees, found.p_value.round(4))
    3.61 2 0.1645
    """
    m, n = (counts.sum(axis=-1, keepdims=True) for counts in (reference, window))
    pooled = (reference + window) / np.maximum(m + n, 1)
    terms = rel_entr(window, n * pooled) + rel_entr(reference, m * pooled)
    statistic = np.maximum(0.0, 2 * terms.sum(axis=-1))
    degrees = np.maximum(0, (pooled > 0).sum(axis=-1) - 1)
    p_value = np.where(degrees > 0, chdtrc(np.maximum(degrees, 1), statistic), 1.0)[()]
    return GTest(statistic, degrees, p_value)
