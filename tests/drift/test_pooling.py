"""Pooled windows and what comes before them, against plain sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.dependence import LENGTHS
from drift.pooling import Pooling, spans_of
from drift.profile import FeatureProfile, ReferenceProfile


def profile(*rows: int) -> ReferenceProfile:
    """A boolean feature for each number of reference rows: four cells each."""
    entries = (1.0,) * (LENGTHS.size + 1)
    return ReferenceProfile(features=tuple(
        FeatureProfile(name=str(index), kind="boolean", categories=("false", "true"), counts=(m, 0, 0, 0),
                       design_effect=entries, degrees=entries) for index, m in enumerate(rows)))


def test_there_is_a_span_between_every_two_powers_of_two() -> None:
    assert spans_of(7) == (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
    assert [spans_of(scales) for scales in (1, 2, 3)] == [(1,), (1, 2), (1, 2, 3, 4)]


@settings(deadline=None)
@given(st.data(), st.integers(1, 8), st.integers(8, 20), st.integers(1, 40), st.integers(1, 400))
def test_what_comes_before_is_the_newest_windows_whose_rows_the_reference_has(
    data: st.DataObject, span: int, history: int, few: int, many: int
) -> None:
    windows = np.array(data.draw(st.lists(st.lists(st.integers(0, 9), min_size=8, max_size=8), min_size=span,
                                          max_size=30)))
    pooling = Pooling(profile(few, many), history)
    ends = np.arange(span, len(windows) + 1)
    counts, before = pooling.at(pooling.sums(windows), ends, span)
    for end, pooled, earlier in zip(ends, counts, before, strict=True):
        assert pooled.tolist() == windows[end - span:end].sum(axis=0).tolist()
        for cells, most in ((slice(0, 4), few), (slice(4, 8), many)):
            expected = np.zeros(4, dtype=int)
            for window in windows[max(0, end - history):end - span, cells][::-1]:
                if expected.sum() + window.sum() > most:
                    break
                expected += window
            assert earlier[cells].tolist() == expected.tolist()


def test_windows_that_are_larger_than_the_reference_do_not_join_it() -> None:
    pooling = Pooling(profile(100), 4)
    windows = np.full((4, 4), 26)
    _, before = pooling.at(pooling.sums(windows), np.array([4]), 1)
    assert before == pytest.approx(np.zeros((1, 4)))
