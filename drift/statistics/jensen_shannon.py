r"""Jensen-Shannon divergence.

.. math:: JS = \tfrac12 \sum_k p_k \log_2 \frac{p_k}{m_k} + \tfrac12 \sum_k q_k \log_2 \frac{q_k}{m_k}, \quad
          m_k = (p_k + q_k) / 2

Convention: raw shares without smoothing, logarithm to base 2, the divergence and not its root; missing is a cell like
any other. Without rows on one side JS is 0.

Source: Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Information Theory 37, 1991.
"""

import numpy as np
from scipy.special import rel_entr

from drift.statistics.shares import Array, Counts, comparable, shares


def jensen_shannon(reference: Counts, window: Counts) -> Array:
    """Divergence in bits, 0 (equal shares) to 1 (no cell in common): counts (..., cells) to (...).

    >>> rng = np.random.default_rng(0)
    >>> reference, window = rng.multinomial(10_000, [0.5, 0.3, 0.2]), rng.multinomial(200, [0.2, 0.3, 0.5])
    >>> print(jensen_shannon(reference, window).round(3))
    0.074
    """
    p, q = shares(window), shares(reference)
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=-1) / (2 * np.log(2))
    return divergence * comparable(reference, window)
