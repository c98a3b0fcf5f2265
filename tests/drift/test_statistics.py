"""The statistics that are shown, against scipy, closed forms and their noise."""

import doctest
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import chi2, entropy, ks_2samp

from drift.statistics import jensen_shannon, ks, psi
from drift.statistics.jensen_shannon import jensen_shannon as divergence
from drift.statistics.ks import kolmogorov_smirnov
from drift.statistics.psi import corrected_population_stability_index, population_stability_index

CELLS = 6
counts = st.lists(st.integers(0, 60), min_size=CELLS, max_size=CELLS).map(np.array)
occupied = counts.filter(lambda cells: cells.sum() > 0)


@settings(deadline=None)
@given(occupied, occupied)
def test_ks_is_scipys_distance_of_the_cells(reference: np.ndarray, window: np.ndarray) -> None:
    left, right = (np.repeat(np.arange(CELLS), cells) for cells in (reference, window))
    assert kolmogorov_smirnov(reference, window) == pytest.approx(ks_2samp(left, right, method="asymp")[0])


@settings(deadline=None)
@given(occupied, occupied)
def test_jensen_shannon_is_the_square_of_scipys_distance(reference: np.ndarray, window: np.ndarray) -> None:
    expected = distance.jensenshannon(reference, window, base=2) ** 2
    assert divergence(reference, window) == pytest.approx(expected, abs=1e-7)


@settings(deadline=None)
@given(occupied, occupied)
def test_psi_is_the_symmetric_divergence_of_the_smoothed_shares(reference: np.ndarray, window: np.ndarray) -> None:
    kept = reference + window > 0
    p, q = window[kept] + 0.5, reference[kept] + 0.5
    expected = entropy(p, q) + entropy(q, p)
    assert population_stability_index(reference, window) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(occupied, counts)
def test_every_statistic_is_0_for_equal_shares_and_without_rows(reference: np.ndarray, window: np.ndarray) -> None:
    for statistic in (kolmogorov_smirnov, divergence, population_stability_index, corrected_population_stability_index):
        assert statistic(reference, 0 * reference) == statistic(0 * reference, reference) == 0
        assert statistic(reference, reference) == pytest.approx(0, abs=1e-12)
        assert statistic(reference, window) >= -1e-12


def test_the_noise_of_psi_is_chi_square_and_its_mean_is_taken_off() -> None:
    rng = np.random.default_rng(0)
    n, m, cells = 500, 10_000, 10
    pairs = [(rng.multinomial(m, [0.1] * cells), rng.multinomial(n, [0.1] * cells)) for _ in range(2000)]
    scaled = np.array([population_stability_index(*pair) for pair in pairs]) / (1 / n + 1 / m)
    assert scaled.mean() == pytest.approx(cells - 1, rel=0.04)
    assert (scaled > chi2.ppf(0.95, cells - 1)).mean() == pytest.approx(0.05, abs=0.015)


def test_of_small_windows_without_drift_3_per_cent_exceed_a_psi_of_a_fifth_and_few_after_correction() -> None:
    rng = np.random.default_rng(1)
    pairs = [(rng.multinomial(1000, [0.1] * 10), rng.multinomial(100, [0.1] * 10)) for _ in range(4000)]
    assert np.mean([population_stability_index(*pair) > 0.2 for pair in pairs]) == pytest.approx(0.029, abs=0.008)
    assert np.mean([corrected_population_stability_index(*pair) > 0.2 for pair in pairs]) < 0.004


def test_the_correction_grows_with_the_design_effects() -> None:
    reference, window = np.array([400, 300, 300]), np.array([20, 40, 40])
    raw = population_stability_index(reference, window)
    corrected = corrected_population_stability_index(reference, window, window_effect=2.0, reference_effect=3.0)
    assert corrected == pytest.approx(raw - 2 * (2 / 100 + 3 / 1000))
    assert corrected_population_stability_index(reference, window, window_effect=100.0) == 0


@pytest.mark.parametrize("module", [ks, psi, jensen_shannon])
def test_the_examples_in_the_documentation_are_true(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
