r"""Population stability index, with the bias of small windows taken off.

.. math:: PSI = \sum_k (p_k - q_k) \ln (p_k / q_k), \quad
          PSI^* = \max(0, PSI - (K - 1)(D / n + D_m / m))

Convention: reference cells for both sides, missing included; cells empty on both sides are left out; the K others have
shares p = (c + 1/2) / (n + K/2) of the window and q likewise of the reference. Without drift PSI / (D/n + D_m/m) is
about chi-square with K - 1 degrees of freedom, hence the bias; D and D_m are the design effects of window and
reference. Without rows on one side PSI is 0.

Source: Yurdakul & Naranjo, Statistical properties of the population stability index, J. Risk Model Validation 14, 2020.
"""

import numpy as np
from numpy.typing import NDArray


def population_stability_index(reference: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """PSI as commonly shown, at least 0, of two count vectors of shape (cells,).

    >>> rng = np.random.default_rng(0)
    >>> reference, window = rng.multinomial(10_000, [0.1] * 10), rng.multinomial(100, [0.1] * 10)
    >>> round(population_stability_index(reference, window), 3)
    0.172
    >>> round(corrected_population_stability_index(reference, window), 3)
    0.081
    """
    occupied = (reference + window) > 0
    m, n, cells = reference.sum(), window.sum(), np.count_nonzero(occupied)
    if m == 0 or n == 0:
        return 0.0
    p = (window[occupied] + 0.5) / (n + cells / 2)
    q = (reference[occupied] + 0.5) / (m + cells / 2)
    return float(((p - q) * np.log(p / q)).sum())


def corrected_population_stability_index(
    reference: NDArray[np.int64],
    window: NDArray[np.int64],
    *,
    window_effect: float = 1.0,
    reference_effect: float = 1.0,
) -> float:
    """PSI less what noise alone adds on average, at least 0; the effects are the design effects of n and m rows."""
    m, n = int(reference.sum()), int(window.sum())
    if m == 0 or n == 0:
        return 0.0
    cells = int(np.count_nonzero(reference + window))
    bias = (cells - 1) * (window_effect / n + reference_effect / m)
    return max(0.0, population_stability_index(reference, window) - bias)
