"""Contrasts: what is tested of a feature, each linear in its cell counts.

The columns of a feature are [location, scale, one indicator a cell]; the last cell, and so the last column, is missing.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from drift.cells import FeatureKind

LINEAR = 2  # location and scale come before the indicators
LOCATION, SCALE = 0, 1


def scores(kind: FeatureKind, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Location and scale score of every cell, shape (2, cells), from the reference counts.

    Over the reference rows each has mean 0 and variance 1 and the two are orthogonal; missing scores 0. Location is the
    normal score of the cell's mid-ridit u (van der Waerden), u clipped to [0.001, 0.999]; scale is (u - 1/2)^2 (Mood).
    A score that cannot exist (a category, fewer than two or three occupied cells) is 0 everywhere.
    """
    result = np.zeros((LINEAR, counts.size))
    present = counts[:-1].astype(np.float64)
    if kind != "number" or np.count_nonzero(present) < 2:  # noqa: PLR2004 - one occupied cell has no location
        return result
    share = present / present.sum()
    ridit = np.clip(np.cumsum(share) - share / 2, 1e-3, 1 - 1e-3)
    location = _standardised(ndtri(ridit), share)
    spread = (ridit - 0.5) ** 2
    scale = _standardised(spread - (share * spread * location).sum() * location, share)
    # missing rows score 0, so over all rows the variance of a score is the share present
    result[:, :-1] = np.stack((location, scale)) / np.sqrt(present.sum() / counts.sum())
    return result


def _standardised(score: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = score - (share * score).sum()
    deviation = np.sqrt((share * centred**2).sum())
    return centred / deviation if deviation > 1e-9 else np.zeros_like(centred)  # noqa: PLR2004 - rounding, not spread


def weights(kind: FeatureKind, cells: int) -> NDArray[np.float64]:
    """The share of the feature's false-alarm budget given to each column, shape (2 + cells,), sum 1.

    Where the reference never had a value there is one cell beside missing, which says the same: missing takes it all.
    """
    if cells == 2:  # noqa: PLR2004
        return np.array([0.0, 0.0, 0.0, 1.0])
    location, scale, present, missing = (0.5, 0.15, 0.15, 0.2) if kind == "number" else (0.0, 0.0, 0.9, 0.1)
    return np.array([location, scale, *[present / (cells - 1)] * (cells - 1), missing])
