r"""Missing share.

.. math:: c_{missing} / n

Convention: null, NaN and infinity are missing, and count among the n rows. Without rows the share is 0.

Source: Little & Rubin, Statistical Analysis with Missing Data, 3rd ed., 2019, section 1.2.
"""

import numpy as np

from drift.statistics.shares import Array, Counts


def missing_share(missing: Counts, rows: Counts) -> Array:
    """Share of the rows without a value, in [0, 1]: two arrays of one shape to a third.

    >>> rng = np.random.default_rng(0)
    >>> *_, missing = counts = rng.multinomial(200, [0.5, 0.4, 0.1])
    >>> print(missing_share(missing, counts.sum()))
    0.07
    """
    return missing / np.maximum(rows, 1)
