"""Shapley values by sampling permutations: what each feature adds to an answer, whatever the model.

    phi_j(x) = E[ f(x_before, x_j, z_after) - f(x_before, z_j, z_after) ]

over the order in which features come and over background rows z, which stand in for features that have not come yet.
Each order is walked in both directions: the antithetic pair halves the error at the same cost. The values of a row add
up to its answer less the mean answer to the background rows that it met.

Strumbelj and Kononenko 2014, "Explaining prediction models and individual predictions with feature contributions",
algorithm 2; antithetic pairs: Mitchell et al. 2022, "Sampling permutations for Shapley value estimation", section 3.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def shapley_values(answer: Callable[[NDArray[np.float32]], NDArray[np.float64]], rows: NDArray[np.float32],
                   background: NDArray[np.float32], orders: int, seed: int) -> NDArray[np.float64]:
    """Of each row (n), feature (F) and output (k), shape (n, F, k).

    Args:
        answer: The model: (any rows, F) to (rows, k).
        rows: What is explained, (n, F).
        background: What a missing feature is taken from, (b, F), b > 0.
        orders: How many pairs of orders; the model answers 2 x orders x (F + 1) x n rows.
        seed: Same seed, same values.

    >>> line = lambda x: x @ np.array([[2.0], [1.0]])
    >>> values = shapley_values(line, np.float32([[3, 1]]), np.float32([[1, 1]]), 1, 0)
    >>> values[0, :, 0].tolist()
    [4.0, 0.0]
    """
    rng = np.random.default_rng(seed)
    count, features = rows.shape
    walks: list[NDArray[np.float64]] = []
    for _ in range(orders):
        order = rng.permutation(features)
        start = background[rng.integers(0, len(background), count)]
        walks.extend(_walk(answer, rows, start, direction) for direction in (order, order[::-1]))
    return np.mean(walks, axis=0)


def _walk(answer: Callable[[NDArray[np.float32]], NDArray[np.float64]], rows: NDArray[np.float32],
          start: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each feature added when they came in this order, (n, F, k)."""
    count, features = rows.shape
    met = np.repeat(start[np.newaxis], features + 1, axis=0)
    for place, feature in enumerate(order):
        met[place + 1 :, :, feature] = rows[:, feature]
    answers = answer(met.reshape(-1, features)).reshape(features + 1, count, -1)
    added = np.empty((count, features, answers.shape[2]))
    added[:, order] = np.diff(answers, axis=0).transpose(1, 0, 2)
    return added
