"""Sampled Shapley values against their definition."""

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.shapley import shapley_values


def product(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """A model whose features matter only together."""
    return np.column_stack([rows[:, 0] * rows[:, 1] + rows[:, 2], rows[:, 2] ** 2]).astype(np.float64)


def exact(row: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.float64]:
    """Over every order of the features, one background row."""
    found = np.zeros((len(row), 2))
    orders = list(permutations(range(len(row))))
    for order in orders:
        met = start.copy()
        for feature in order:
            before = product(met[np.newaxis])[0]
            met[feature] = row[feature]
            found[feature] += product(met[np.newaxis])[0] - before
    return found / len(orders)


def test_they_are_those_of_the_definition_where_features_interact() -> None:
    rng = np.random.default_rng(1)
    rows, start = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(1, 3)).astype(np.float32)
    found = shapley_values(product, rows, start, orders=600, seed=0)
    wanted = np.stack([exact(row, start[0]) for row in rows])
    np.testing.assert_allclose(found, wanted, atol=0.1)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), features=st.integers(3, 6), orders=st.integers(1, 4))
def test_those_of_a_row_add_up_to_its_answer_less_the_background_s(seed: int, features: int, orders: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(5, features)).astype(np.float32)
    start = rng.normal(size=(1, features)).astype(np.float32)
    found = shapley_values(product, rows, start, orders, seed)
    np.testing.assert_allclose(found.sum(axis=1), product(rows) - product(start), atol=1e-4)
    assert (found[:, 3:] == 0).all()  # what a model does not look at has none


def test_the_same_seed_gives_the_same_values() -> None:
    rows = np.random.default_rng(3).normal(size=(20, 4)).astype(np.float32)
    first, second = (shapley_values(product, rows, rows, 3, 7) for _ in range(2))
    assert (first == second).all()
