"""All statistics of all features of a window at once."""

import numpy as np
import pytest

from drift.cells import number_midpoints
from drift.counts import CellCounter
from drift.dependence import LENGTHS
from drift.profile import FeatureColumn, FeatureProfile, ReferenceProfile, build_profile
from drift.shown import ShownStatistics
from drift.statistics.chi_square import g_test
from drift.statistics.jensen_shannon import jensen_shannon
from drift.statistics.ks import kolmogorov_smirnov
from drift.statistics.moments import moment_shift
from drift.statistics.psi import corrected_population_stability_index
from drift.statistics.wasserstein import wasserstein

ROWS = 1000
LAST_FOUR = ("ks", "wasserstein", "mean_shift", "spread_shift")
LIKE_ANY_CELL = ("psi", "jensen_shannon", "chi_square", "chi_square_p")


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    rng = np.random.default_rng(0)
    numbers = {"normal": rng.normal(size=ROWS), "ties": rng.poisson(1, ROWS).astype(float),
               "constant": np.full(ROWS, 3.0), "never": np.full(ROWS, np.nan)}
    colours = rng.choice(["red", "green", "blue"], ROWS).tolist()
    return build_profile([
        *(FeatureColumn(name=name, kind="number", values=values) for name, values in numbers.items()),
        FeatureColumn(name="colour", kind="category", values=colours),
    ])


def drawn(profile: ReferenceProfile, seed: int = 1) -> np.ndarray:
    """Any counts at all, features and cells without rows among them."""
    rng = np.random.default_rng(seed)
    return rng.poisson(4, profile.size) * rng.integers(0, 2, profile.size)


def parts(profile: ReferenceProfile, counts: np.ndarray) -> list[tuple[FeatureProfile, np.ndarray, np.ndarray]]:
    split = np.split(counts, profile.offsets[1:-1])
    return [(f, np.array(f.counts), part) for f, part in zip(profile.features, split, strict=True)]


def test_each_feature_has_the_statistics_that_it_has_alone(profile: ReferenceProfile) -> None:
    for seed in range(20):
        counts = drawn(profile, seed)
        found = ShownStatistics(profile).of(counts)
        for (feature, reference, window), shown in zip(parts(profile, counts), found, strict=True):
            if not window.any():
                continue
            test = g_test(reference, window)
            assert (shown.chi_square, shown.chi_square_p) == pytest.approx((test.statistic, test.p_value))
            assert shown.jensen_shannon == pytest.approx(jensen_shannon(reference, window))
            if feature.name in {"normal", "ties"} and window[:-1].any():
                present, places = (reference[:-1], window[:-1]), number_midpoints(feature.edges)
                assert shown.ks == pytest.approx(kolmogorov_smirnov(*present))
                assert shown.wasserstein == pytest.approx(wasserstein(*present, places))
                assert (shown.mean_shift, shown.spread_shift) == pytest.approx(moment_shift(*present, places))


def test_psi_counts_missing_as_a_cell_and_is_less_its_bias_under_dependence(profile: ReferenceProfile) -> None:
    normal = profile.features[0]
    window = np.array(normal.counts) // 5
    window[-1] = 40
    counts = np.concatenate((window, np.zeros(profile.size - len(window), np.int64)))
    effect = np.interp(np.log2(window.sum()), np.arange(LENGTHS.size), normal.design_effect[:-1])
    expected = corrected_population_stability_index(
        np.array(normal.counts), window, window_effect=float(effect), reference_effect=normal.design_effect[-1])
    assert ShownStatistics(profile).of(counts)[0].psi == pytest.approx(expected)
    assert expected > 0.5  # of which the other cells have none


def test_a_feature_without_rows_shows_nothing(profile: ReferenceProfile) -> None:
    for shown in ShownStatistics(profile).of(np.zeros(profile.size, np.int64)):
        assert {getattr(shown, name) for name in (*LAST_FOUR, *LIKE_ANY_CELL)} == {None}


def test_where_all_values_are_missing_only_what_counts_missing_as_a_cell_is_shown(profile: ReferenceProfile) -> None:
    counts = np.zeros(profile.size, np.int64)
    counts[profile.offsets[1:] - 1] = 100
    for shown in ShownStatistics(profile).of(counts):
        assert {getattr(shown, name) for name in LAST_FOUR} == {None}
        assert None not in {getattr(shown, name) for name in LIKE_ANY_CELL}


def test_only_numbers_are_ordered_and_only_a_spread_is_a_unit(profile: ReferenceProfile) -> None:
    found = ShownStatistics(profile).of(np.ones(profile.size, np.int64))
    shown = {f.name: [name for name in LAST_FOUR if getattr(statistics, name) is not None]
             for f, statistics in zip(profile.features, found, strict=True)}
    assert shown == {"normal": [*LAST_FOUR], "ties": [*LAST_FOUR], "constant": ["ks"], "never": [], "colour": []}


@pytest.mark.parametrize(("shift", "factor"), [(0.0, 1.0), (0.5, 1.0), (0.0, 1.3)])
def test_from_cells_the_shifts_of_a_normal_feature_are_seen_within_a_tenth(shift: float, factor: float) -> None:
    rng = np.random.default_rng(2)
    profile = build_profile([FeatureColumn(name="x", kind="number", values=rng.normal(size=10_000))])
    counter = CellCounter(profile)
    rows = rng.normal(shift, factor, size=(20_000, 1))
    (shown,) = ShownStatistics(profile).of(counter.count(counter.indices(rows, [])))
    assert shown.mean_shift == pytest.approx(shift, abs=0.05)
    assert shown.spread_shift == pytest.approx(factor - 1, abs=0.05)
    assert (shown.wasserstein or 0) >= abs(shown.mean_shift or 0) - 1e-9


def test_the_widest_numbers_there_are_give_numbers() -> None:
    largest = np.finfo(np.float64).max
    values = np.linspace(-1, 1, 101) * largest
    profile = build_profile([FeatureColumn(name="x", kind="number", values=values)])
    (shown,) = ShownStatistics(profile).of(np.arange(profile.size))
    assert all(np.isfinite(getattr(shown, name)) for name in (*LAST_FOUR, *LIKE_ANY_CELL))
