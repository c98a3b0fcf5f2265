"""Cells of values."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from drift.cells import (
    MAX_CATEGORIES,
    MAX_EDGES,
    MAX_LABEL,
    category_cells,
    category_table,
    known_categories,
    number_cells,
    number_edges,
    number_labels,
    number_midpoints,
)

floats = npst.arrays(np.float64, st.integers(0, 60), elements=st.floats(width=64))


@settings(deadline=None)
@given(floats)
def test_edges_ascend_and_every_finite_reference_value_is_in_range(values: np.ndarray) -> None:
    edges = number_edges(values)
    assert len(edges) <= MAX_EDGES
    assert list(edges) == sorted(set(edges))
    cells = number_cells(edges, values)
    finite = np.isfinite(values)
    assert (cells[~finite] == len(edges) + 1).all()
    assert (cells[finite] < max(1, len(edges))).all()
    if edges and values[finite].min() > -np.finfo(np.float64).max:
        assert (cells[finite] > 0).all()


@settings(deadline=None)
@given(floats, st.lists(st.floats(width=64), max_size=30), st.integers(0, 30))
def test_a_numbers_cell_depends_on_the_number_alone_and_ascends_with_it(
    reference: np.ndarray, values: list[float], cut: int
) -> None:
    edges, rows = number_edges(reference), np.array(values, dtype=np.float64)
    cells = number_cells(edges, rows)
    apart = [number_cells(edges, part) for part in (rows[:cut], rows[cut:])]
    assert np.concatenate(apart).tolist() == cells.tolist()
    finite = np.sort(rows[np.isfinite(rows)])
    assert (np.diff(number_cells(edges, finite)) >= 0).all()


@given(st.lists(st.sampled_from(["a", "b", "new", "", None]), max_size=30), st.integers(0, 30))
def test_a_categorys_cell_depends_on_the_category_alone(values: list[str | None], cut: int) -> None:
    table = category_table("category", ("a", "b"))
    apart = [category_cells(table, part) for part in (values[:cut], values[cut:])]
    assert np.concatenate(apart).tolist() == category_cells(table, values).tolist()


def test_a_constant_feature_has_a_cell_below_at_and_above_it() -> None:
    edges = number_edges(np.full(9, 3.0))
    assert number_cells(edges, np.array([2.9, 3.0, 3.1, np.nan, np.inf])).tolist() == [0, 1, 2, 3, 3]
    assert number_labels(edges) == ("below 3", "= 3", "above 3", "missing")


def test_a_value_on_an_edge_belongs_to_the_cell_on_its_left() -> None:
    assert number_cells((0.0, 1.0, 5.0), np.array([0.0, 0.5, 1.0, 5.0, 5.5])).tolist() == [0, 1, 1, 2, 3]


def test_inner_cells_hold_a_twentieth_of_the_reference_each() -> None:
    values = np.random.default_rng(0).normal(size=4000)
    held = np.bincount(number_cells(number_edges(values), values))
    assert (np.abs(held[1:] - 200) <= 1).all()


def test_a_feature_without_values_has_one_cell_for_any_value() -> None:
    edges = number_edges(np.full(5, np.nan))
    assert number_cells(edges, np.array([0.0, np.nan])).tolist() == [0, 1]
    assert number_labels(edges) == ("any value", "missing")


@settings(deadline=None)
@given(floats)
def test_every_cell_of_a_number_has_a_label(values: np.ndarray) -> None:
    edges = number_edges(values)
    assert len(number_labels(edges)) == len(edges) + 2


@settings(deadline=None)
@given(floats)
def test_midpoints_ascend_from_0_to_1_and_are_finite(values: np.ndarray) -> None:
    edges = number_edges(values)
    places = number_midpoints(edges)
    assert len(places) == len(edges) + 1
    assert np.isfinite(places).all()
    assert (np.diff(places) >= 0).all()
    assert places.min() >= 0
    assert places.max() <= 1


def test_rows_lie_halfway_between_their_cells_edges_and_those_out_of_range_at_the_nearest() -> None:
    assert number_midpoints((-2.0, 0.0, 8.0)).tolist() == [0.0, 0.1, 0.6, 1.0]


def test_categories_are_kept_by_frequency_then_name_and_bounded() -> None:
    values = ["b", "a", "c", "c", None, "x" * (MAX_LABEL + 1)] * 2 + [f"rare{index:03}" for index in range(200)]
    known = known_categories(values)
    assert known[:4] == ("c", "a", "b", "rare000")
    assert len(known) == MAX_CATEGORIES
    cells = category_cells(category_table("category", known), ["c", "never seen", None, "x" * (MAX_LABEL + 1)])
    assert cells.tolist() == [0, MAX_CATEGORIES, MAX_CATEGORIES + 1, MAX_CATEGORIES]


def test_a_boolean_is_false_true_other_or_missing() -> None:
    table = category_table("boolean", ("false", "true"))
    assert category_cells(table, [False, True, None, "yes"]).tolist() == [0, 1, 3, 2]
