"""The statistics that are shown, against scipy, closed forms and their noise."""

import doctest
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import chi2, chi2_contingency, entropy, ks_2samp, wasserstein_distance

from drift.cells import number_cells, number_edges, number_midpoints
from drift.statistics import chi_square, jensen_shannon, ks, missing, moments, psi, wasserstein
from drift.statistics.chi_square import g_test
from drift.statistics.jensen_shannon import jensen_shannon as divergence
from drift.statistics.ks import kolmogorov_smirnov
from drift.statistics.missing import missing_share
from drift.statistics.moments import moment_shift, standard_deviation
from drift.statistics.psi import corrected_population_stability_index, population_stability_index
from drift.statistics.wasserstein import wasserstein as distance_moved

CELLS = 6
MIDPOINTS = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
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
@given(occupied, occupied)
def test_g_is_scipys_likelihood_ratio_of_two_samples(reference: np.ndarray, window: np.ndarray) -> None:
    found = g_test(reference, window)
    both = np.stack((reference, window))[:, reference + window > 0]
    statistic, p_value, degrees, _ = chi2_contingency(both, correction=False, lambda_="log-likelihood")
    assert found.degrees == degrees
    assert found.statistic == pytest.approx(max(0.0, statistic), abs=1e-9)
    assert found.p_value == pytest.approx(p_value, abs=1e-9)


@settings(deadline=None)
@given(occupied, occupied)
def test_wasserstein_is_scipys_distance_in_reference_standard_deviations(
    reference: np.ndarray, window: np.ndarray
) -> None:
    raw = np.repeat(MIDPOINTS, reference)
    expected = wasserstein_distance(MIDPOINTS, MIDPOINTS, window, reference) / (raw.std() or np.inf)
    if np.count_nonzero(reference) == 1:  # no spread, no unit
        expected = 0.0
    assert distance_moved(reference, window, MIDPOINTS) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(occupied.filter(lambda cells: np.count_nonzero(cells) > 1), occupied)
def test_moments_are_those_of_rows_at_the_midpoints(reference: np.ndarray, window: np.ndarray) -> None:
    before, after = (np.repeat(MIDPOINTS, cells) for cells in (reference, window))
    found = moment_shift(reference, window, MIDPOINTS)
    assert standard_deviation(reference, MIDPOINTS) == pytest.approx(before.std())
    assert found.mean == pytest.approx((after.mean() - before.mean()) / before.std(), abs=1e-9)
    assert found.spread == pytest.approx(after.std() / before.std() - 1, abs=1e-9)


samples = st.lists(st.floats(-5, 5).map(lambda value: round(value, 3)), min_size=2, max_size=80).map(np.array)
varied = samples.filter(lambda values: np.ptp(values) > 0.01)


@settings(deadline=None)
@given(varied, samples)
def test_what_the_cells_of_a_reference_show_is_near_what_its_rows_would(
    reference: np.ndarray, window: np.ndarray
) -> None:
    """Of rows within its range: a row lies at most half a cell from its cell's midpoint, on both sides."""
    edges = number_edges(reference)
    window = window.clip(reference.min(), reference.max())
    before, after = (np.bincount(number_cells(edges, rows), minlength=len(edges) + 1) for rows in (reference, window))
    places = number_midpoints(edges)
    unit = standard_deviation(before, places) * (edges[-1] - edges[0])  # of the rows' own scale
    widest = np.diff(edges).max() + 1e-9
    of_rows = max(abs((window <= value).mean() - (reference <= value).mean()) for value in reference)
    assert kolmogorov_smirnov(before, after) <= of_rows + 1e-12
    if unit > 0:
        moved = distance_moved(before, after, places) * unit
        assert moved == pytest.approx(wasserstein_distance(reference, window), abs=widest)
        shift = moment_shift(before, after, places).mean * unit
        assert shift == pytest.approx(window.mean() - reference.mean(), abs=widest)


@settings(deadline=None)
@given(occupied, occupied)
def test_what_has_no_direction_is_the_same_both_ways(reference: np.ndarray, window: np.ndarray) -> None:
    for statistic in (kolmogorov_smirnov, divergence, population_stability_index, corrected_population_stability_index):
        assert statistic(reference, window) == pytest.approx(statistic(window, reference), abs=1e-12)
    there, back = g_test(reference, window), g_test(window, reference)
    assert there.statistic == pytest.approx(back.statistic, abs=1e-9)
    assert there.degrees == back.degrees


def test_without_drift_the_p_values_of_g_are_uniform() -> None:
    rng = np.random.default_rng(2)
    reference, windows = (rng.multinomial(rows, [0.1] * 10, 4000) for rows in (10_000, 500))
    p_values = g_test(reference, windows).p_value
    for level in (0.05, 0.25, 0.5):
        assert (p_values < level).mean() == pytest.approx(level, abs=0.03)


def test_without_a_cell_in_common_the_divergence_is_a_bit_the_distance_1_and_psi_finite() -> None:
    apart = np.array([7, 0]), np.array([0, 9])
    assert divergence(*apart) == pytest.approx(1)
    assert kolmogorov_smirnov(*apart) == 1
    assert np.isfinite(population_stability_index(*apart))


def test_a_constant_reference_has_no_unit_and_so_no_distance() -> None:
    reference, window = np.array([0, 9, 0]), np.array([0, 2, 7])
    midpoints = np.array([0.0, 0.5, 1.0])
    assert distance_moved(reference, window, midpoints) == 0
    assert moment_shift(reference, window, midpoints) == (0, 0)


@given(counts)
def test_the_missing_share_is_of_all_rows_and_0_without_any(missing_rows: np.ndarray) -> None:
    rows = missing_rows + np.arange(CELLS)
    expected = [part / whole if whole else 0 for part, whole in zip(missing_rows, rows, strict=True)]
    assert missing_share(missing_rows, rows).tolist() == expected


@settings(deadline=None)
@given(st.lists(counts, min_size=3, max_size=3), st.lists(counts, min_size=3, max_size=3))
def test_many_features_at_once_are_each_alone_and_empty_cells_change_nothing(
    references: list[np.ndarray], windows: list[np.ndarray]
) -> None:
    reference, window = np.stack(references), np.stack(windows)
    wider, longer = (np.pad(cells, ((0, 0), (0, 2))) for cells in (reference, window))
    places = np.append(MIDPOINTS, [1.0, 1.0])
    assert together(wider, longer, places) == pytest.approx(together(reference, window, MIDPOINTS))
    alone = [together(*pair, MIDPOINTS) for pair in zip(reference, window, strict=True)]
    assert together(reference, window, MIDPOINTS) == pytest.approx(np.stack(alone, axis=1))


def together(reference: np.ndarray, window: np.ndarray, midpoints: np.ndarray) -> np.ndarray:
    return np.stack([
        kolmogorov_smirnov(reference, window),
        divergence(reference, window),
        population_stability_index(reference, window),
        corrected_population_stability_index(reference, window),
        *g_test(reference, window),
        distance_moved(reference, window, midpoints),
        *moment_shift(reference, window, midpoints),
    ])


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


@pytest.mark.parametrize("module", [ks, psi, jensen_shannon, chi_square, missing, moments, wasserstein])
def test_the_examples_in_the_documentation_are_true(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
