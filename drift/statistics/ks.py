r"""Kolmogorov-Smirnov distance on cells.

.. math:: D = \max_k \left| \sum_{i \le k} c_i / n - \sum_{i \le k} r_i / m \right|

Convention: the cells of a number in order, without the missing cell. The maximum is over the cell edges only, so D is
at most the distance of the raw samples. Without rows on one side D is 0.

Source: Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 6.3.
"""

import numpy as np
from numpy.typing import NDArray


def kolmogorov_smirnov(reference: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """Largest difference of the cumulative shares, in [0, 1], of two count vectors of shape (cells,).

    >>> rng = np.random.default_rng(0)
    >>> edges = np.array([-1.0, 0.0, 1.0])
    >>> reference, same, moved = (np.bincount(np.searchsorted(edges, rng.normal(mu, 1, 1000))) for mu in (0, 0, 1))
    >>> round(kolmogorov_smirnov(reference, same), 3), round(kolmogorov_smirnov(reference, moved), 3)
    (0.034, 0.371)
    """
    m, n = reference.sum(), window.sum()
    if m == 0 or n == 0:
        return 0.0
    return float(np.abs(np.cumsum(window) / n - np.cumsum(reference) / m).max())
