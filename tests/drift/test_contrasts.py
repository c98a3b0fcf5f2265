"""Contrast scores and weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from drift.cells import FeatureKind
from drift.contrasts import scores, weights

counts = st.lists(st.integers(0, 1000), min_size=2, max_size=24).filter(lambda cells: sum(cells) > 0).map(np.array)


@settings(deadline=None)
@given(counts)
def test_scores_have_mean_0_and_variance_1_over_the_reference_or_are_0(cells: np.ndarray) -> None:
    share = cells / cells.sum()
    for score in scores("number", cells):
        assert score[-1] == 0
        assert share @ score == pytest.approx(0, abs=1e-9)
        assert share @ score**2 == pytest.approx(1.0 if score.any() else 0.0, abs=1e-9)


@settings(deadline=None)
@given(counts)
def test_location_and_scale_are_orthogonal(cells: np.ndarray) -> None:
    location, scale = scores("number", cells)
    assert (cells / cells.sum()) @ (location * scale) == pytest.approx(0, abs=1e-6)


def test_location_is_the_normal_score_of_the_mid_ridit() -> None:
    location, _ = scores("number", np.array([10, 20, 30, 40, 0]))
    normal = norm.ppf([0.05, 0.2, 0.45, 0.8])
    assert np.corrcoef(location[:-1], normal)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("kind", ["number", "category", "boolean"])
def test_weights_share_out_the_whole_budget(kind: FeatureKind) -> None:
    shares = weights(kind, 5)
    assert shares.sum() == pytest.approx(1)
    assert shares[-1] == (0.2 if kind == "number" else 0.1)
    assert (shares[:2] == ((0.5, 0.15) if kind == "number" else (0, 0))).all()


@pytest.mark.parametrize("kind", ["number", "category"])
def test_where_any_value_is_the_reverse_of_missing_only_missing_is_tested(kind: FeatureKind) -> None:
    assert weights(kind, 2).tolist() == [0, 0, 0, 1]


def test_a_category_or_a_constant_has_no_location_and_scale() -> None:
    assert not scores("category", np.array([5, 5, 0])).any()
    assert not scores("number", np.array([0, 5, 0, 3])).any()
