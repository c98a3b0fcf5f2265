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

from drift.statistics.shares import Array, Counts, comparable


def population_stability_index(reference: Counts, window: Counts) -> Array:
    """PSI as commonly shown, at least 0: counts (..., cells) to (...).

    >>> rng = np.random.default_rng(0)
    >>> reference, window = rng.multinomial(10_000, [0.1] * 10), rng.multinomial(100, [0.1] * 10)
    >>> print(population_stability_index(reference, window).round(3))
    0.172
    >>> print(corrected_population_stability_index(reference, window).round(3))
    0.081
    """
    occupied = (reference + window) > 0
    half = np.maximum(occupied.sum(axis=-1, keepdims=True), 1) / 2
    p = (window + 0.5) / (window.sum(axis=-1, keepdims=True) + half)
    q = (reference + 0.5) / (reference.sum(axis=-1, keepdims=True) + half)
    return ((p - q) * np.log(p / q) * occupied).sum(axis=-1) * comparable(reference, window)


def corrected_population_stability_index(
    reference: Counts, window: Counts, *, window_effect: Array | float = 1.0, reference_effect: Array | float = 1.0
) -> Array:
    """PSI less what noise alone adds on average, at least 0; the effects are the design effects of n and m rows."""
    m, n = (np.maximum(counts.sum(axis=-1), 1) for counts in (reference, window))
    cells = ((reference + window) > 0).sum(axis=-1)
    bias = (cells - 1) * (window_effect / n + reference_effect / m)
    return np.maximum(0.0, population_stability_index(reference, window) - bias) * comparable(reference, window)
