"""Random columns that keep their random numbers whatever changes: rows before a change are the same with and without
it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from producers.scenarios.stream import Mask

Shares = Mapping[str, float]


def categories(random: np.random.Generator, changed: Mask, before: Shares, after: Shares) -> NDArray[Any]:
    """One category a row; `before` and `after` name the same categories with their shares (sum 1)."""
    names = np.array(list(before))
    uniform = random.random(len(changed))
    picks = [np.searchsorted(np.cumsum(list(shares.values())), uniform) for shares in (before, after)]
    return names[np.minimum(np.where(changed, picks[1], picks[0]), len(names) - 1)]


def events(random: np.random.Generator, probability: NDArray[np.float64]) -> Mask:
    """True with each row's probability."""
    return random.random(len(probability)) < probability


def logistic(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of a logit."""
    return 1.0 / (1.0 + np.exp(-logit))


def member(values: NDArray[Any], *names: str) -> NDArray[np.float64]:
    """1.0 where the category is one of the names."""
    return np.isin(values, names).astype(np.float64)
