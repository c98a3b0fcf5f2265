"""Design effects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.signal import lfilter

from drift.dependence import LENGTHS, design_effect


def autoregressive(rng: np.random.Generator, coefficient: float, rows: int) -> np.ndarray:
    noise = rng.normal(size=rows + 1000)
    return np.asarray(lfilter([1.0], [1.0, -coefficient], noise))[1000:]


@pytest.mark.parametrize("coefficient", [0.5, 0.9])
def test_an_autoregression_has_the_design_effect_of_theory(coefficient: float) -> None:
    series = autoregressive(np.random.default_rng(1), coefficient, 50_000)
    found = design_effect(series[None]).effect[:-1]
    lag = np.arange(1, 2**12)
    for length, effect in zip(LENGTHS, found, strict=True):
        theory = 1 + 2 * (np.maximum(0, 1 - lag / length) * coefficient**lag).sum()
        assert theory * 0.9 < effect < theory * 1.3


def test_independent_rows_have_a_design_effect_near_1_and_many_degrees() -> None:
    rng = np.random.default_rng(2)
    found = [design_effect(rng.normal(size=(1, 5000))) for _ in range(50)]
    assert np.mean([each.effect[10] for each in found]) < 1.15
    assert np.median([each.degrees[10] for each in found]) > 300


def test_batch_means_overrule_the_autoregression_and_the_largest_holds_beyond() -> None:
    rows = np.arange(10_000)
    slow_cycle = 0.3 * np.sin(2 * np.pi * rows / 4000)  # weak and far longer than the 20 lags an autoregression sees
    series = slow_cycle + np.random.default_rng(3).normal(size=rows.size)
    found = design_effect(series[None])
    assert found.degrees[7:12] == pytest.approx([max(4, 1.5 * (10_000 / length - 1)) for length in LENGTHS[7:12]])
    sums = np.concatenate(([0], np.cumsum(series - series.mean())))
    batch_means = (sums[2048:] - sums[:-2048]) / 2048
    assert found.effect[11] == pytest.approx(2048 * (batch_means**2).mean() / (1 - 0.2048) / series.var())
    assert (found.effect[12:] == found.effect[11]).all()


def test_the_largest_contrast_stands_for_the_feature() -> None:
    rng = np.random.default_rng(4)
    series = np.stack((rng.normal(size=4000), autoregressive(rng, 0.8, 4000)))
    assert design_effect(series).effect == pytest.approx(design_effect(series[1:]).effect)


def test_constant_series_are_independent() -> None:
    found = design_effect(np.ones((2, 300)))
    assert (found.effect == 1).all()
    assert (found.degrees == 300).all()


rows = np.arange(3000.0)


@pytest.mark.parametrize(
    "series",
    [
        rows,
        rows**2,
        np.sin(rows / 300),
        np.sin(rows / 3) + np.sin(rows / 50),
        rows % 2,
        rows // 1000,
        rows == 7,
        rows < 1,
        rows[:2],
        rows[:21],
    ],
)
def test_a_degenerate_series_has_a_finite_design_effect(series: np.ndarray) -> None:
    found = design_effect(np.asarray(series, dtype=np.float64)[None])
    assert np.isfinite(found.effect).all()
    assert (found.effect >= 1).all()
    assert (found.degrees > 0).all()


@settings(deadline=None, max_examples=60)
@given(npst.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 90)), elements=st.integers(-2, 2).map(float)))
def test_any_series_has_a_finite_design_effect_of_at_least_1(series: np.ndarray) -> None:
    found = design_effect(series)
    assert np.isfinite(found.effect).all()
    assert (found.effect >= 1).all()
    assert (found.degrees > 0).all()
