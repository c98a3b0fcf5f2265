"""Evidence of single contrasts, against closed forms and scipy."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, t

from drift.contrasts import LINEAR, scores, weights
from drift.dependence import LENGTHS
from drift.evidence import ContrastTests, likelihood_root, log_two_sided
from drift.profile import FeatureProfile, ReferenceProfile

REFERENCE = (0, 100, 300, 400, 150, 0, 50)  # below range, four cells, above range, missing
M = sum(REFERENCE)


def feature(effect: float = 1.0, degrees: float = 1e6) -> FeatureProfile:
    entries = LENGTHS.size + 1
    return FeatureProfile(
        name="x",
        kind="number",
        edges=(0.0, 1.0, 2.0, 3.0, 4.0),
        counts=REFERENCE,
        design_effect=(effect,) * entries,
        degrees=(degrees,) * entries,
    )


def evaluate(counts: list[int], before: list[int] | None = None, **dependence: float) -> np.ndarray:
    """(3, columns) without the weights, of one window; `before` joins the reference."""
    tests = ContrastTests(ReferenceProfile(features=(feature(**dependence),)))
    found = tests.evaluate(np.array([counts]), np.array([before or [0] * len(counts)]))[:, 0]
    found[0] += np.log(weights("number", len(REFERENCE)))
    return found


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 400), st.integers(1, 400))
def test_the_likelihood_root_is_that_of_a_two_by_two_table_with_yates_correction(
    x: int, n: int, y: int, m: int
) -> None:
    table = np.array([[x, n], [y, m]])
    root = likelihood_root(*(np.array(float(each)) for each in (x, x + n, y, y + m)))
    if x + y == 0:
        assert root == 0
    else:
        expected = chi2_contingency(table, correction=True, lambda_="log-likelihood")[0]
        assert root**2 == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("degrees", [3.0, 10.0, 1e4])
@pytest.mark.parametrize("deviate", [0.0, 1.0, 3.0, 6.0])
def test_p_values_are_those_of_student_within_a_tenth(degrees: float, deviate: float) -> None:
    found = np.exp(log_two_sided(np.array(deviate), np.array(degrees)))
    assert found == pytest.approx(2 * t.sf(deviate, degrees), rel=0.11)


def test_p_values_never_underflow() -> None:
    assert log_two_sided(np.array(300.0), np.array(1e6)) == pytest.approx(-45_000, rel=0.05)


@pytest.mark.parametrize("effect", [1.0, 4.0])
def test_location_is_a_mean_difference_corrected_for_skewness(effect: float) -> None:
    counts = np.array([0, 5, 10, 50, 30, 0, 5])
    score, n = scores("number", np.array(REFERENCE))[0], counts.sum()
    difference = counts @ score / n
    variance = effect / n + effect / M
    skewness = score**3 @ REFERENCE / M
    cumulant = effect**2 * (1 / n**2 + 3 / (M * n) + 2 / M**2)
    z = difference / np.sqrt(variance)
    z -= skewness * cumulant / variance**1.5 * (z**2 - 1) / 6
    found = evaluate(counts.tolist(), effect=effect)[:, 0]
    bound = abs(difference) - 1.645 * np.sqrt(variance)
    assert found == pytest.approx([log_two_sided(np.array(z), np.array(1e6)), difference, bound], abs=1e-3)


def test_an_effect_is_in_reference_standard_deviations_or_cohens_h() -> None:
    moved = evaluate([0, 0, 0, 0, 1000, 0, 0])
    location = scores("number", np.array(REFERENCE))[0]
    assert moved[1, 0] == pytest.approx(location[4])
    assert moved[1, -1] == pytest.approx(-2 * np.arcsin(np.sqrt(0.05)))
    assert moved[1, LINEAR + 4] == pytest.approx(np.pi - 2 * np.arcsin(np.sqrt(0.15)))


@pytest.mark.parametrize("degrees", [3.0, 5.0, 30.0, 1e6])
def test_the_lower_bound_uses_the_student_quantile(degrees: float) -> None:
    _, effect, lower = evaluate([0, 0, 0, 0, 1000, 0, 0], degrees=degrees)[:, 0]
    expected = effect - t.ppf(0.95, degrees) * np.sqrt(1 / 1000 + 1 / M)
    assert lower == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("cell", [0, 5])
def test_a_cell_that_is_empty_in_the_reference_inherits_the_design_effect(cell: int) -> None:
    """Nothing was seen there whose dependence could be measured: assuming none gave 8.7 times the budget."""
    effect, n, x = 9.0, 200, 18
    counts = [0, 20, 60, 80, 22, 0, 0]
    counts[cell] = x
    root = likelihood_root(*(np.array(each / effect) for each in (x, n, 0.0, M)))
    expected = log_two_sided(root, np.array(3.0))
    assert evaluate(counts, effect=effect)[0, LINEAR + cell] == pytest.approx(float(expected))


def test_clusters_seen_in_a_dependent_reference_bound_the_degrees_of_freedom() -> None:
    counts, columns = [0, 0, 0, 150, 30, 0, 20], slice(LINEAR + 1, None)
    many, few = (evaluate(counts, effect=2.0, degrees=degrees)[0, columns] for degrees in (1e6, 25.0))
    assert many[-1] == pytest.approx(few[-1])  # 50 missing rows in pairs: 25 clusters
    assert many[2] < few[2]


cell_counts = st.lists(st.integers(0, 50), min_size=7, max_size=7)


@settings(deadline=None)
@given(cell_counts, cell_counts, st.floats(1, 1e12), st.floats(0.04, 1e6))
def test_evidence_is_never_nan(counts: list[int], before: list[int], effect: float, degrees: float) -> None:
    assert np.isfinite(evaluate(counts, before, effect=effect, degrees=degrees)).all()


def test_rows_before_that_look_like_the_reference_make_it_larger() -> None:
    counts, before = [0, 5, 10, 50, 30, 0, 5], [3 * count for count in REFERENCE]
    alone, joined = evaluate(counts), evaluate(counts, before)
    four_times = np.array(REFERENCE) * 4
    score = scores("number", np.array(REFERENCE))[0]
    z = counts @ score / 100 / np.sqrt(1 / 100 + 1 / four_times.sum())
    assert joined[0, 0] == pytest.approx(float(log_two_sided(np.array(z), np.array(1e6))), rel=0.02)
    assert (joined[0, :1] < alone[0, :1]).all()
    assert joined[1:] == pytest.approx(alone[1:])  # effect and bound are against the profile


def test_a_change_that_stays_keeps_its_effect_and_loses_no_more_than_its_share_of_the_evidence() -> None:
    moved = [0, 0, 100, 500, 400, 0, 0]
    alone, stayed = evaluate(moved), evaluate(moved, moved)
    assert stayed[1:] == pytest.approx(alone[1:])
    assert alone[0, 0] / 5 > stayed[0, 0] > alone[0, 0]  # half the difference: about a quarter of the log p


def test_a_difference_that_leads_back_to_the_profile_is_no_evidence() -> None:
    far, nearer = [0, 0, 0, 0, 3000, 0, 0], [0, 0, 100, 400, 500, 0, 0]
    log_p, effect, _ = evaluate(nearer, far)
    assert log_p[0] == 0
    assert effect[0] > 0
    assert log_p[LINEAR + 4] == 0  # less often in its cell than before, and still more often than in the profile


def test_the_design_effect_is_interpolated_in_the_logarithm_of_the_rows() -> None:
    table = (*(1.0 + index for index in range(LENGTHS.size)), 1.0)
    profile = ReferenceProfile(features=(msgspec.structs.replace(feature(), design_effect=table),))
    tests = ContrastTests(profile)
    for rows in (64, 96, 160):
        counts = np.array([[0, 0, 0, 0, rows, 0, 0]])
        _, effect, lower = tests.evaluate(counts, np.zeros_like(counts))[:, 0, 0]
        assert effect - lower == pytest.approx(1.6449 * np.sqrt((1 + np.log2(rows)) / rows + 1 / M), abs=1e-3)
