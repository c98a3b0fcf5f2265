"""Rules are compared at equal realised rates of false alarms, and the others are what their makers made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.drift import ADWIN
from scipy.stats import ks_2samp

from bench.decisions import delays
from bench.decisions.delays import STRICT, Levels, behind, declared, delays_of_stream, middle, tuned
from bench.decisions.rules import (
    OURS,
    RULES,
    SETTINGS,
    WINDOW,
    adaptive_windowing,
    kolmogorov_smirnov,
    share_drifted,
    stability_index,
)
from bench.decisions.streams import CHANGES

LEVEL = declared(SETTINGS.budget_windows)


@given(st.integers(0, 2**32), st.integers(1, 20), st.booleans())
def test_tuned_levels_realise_the_rate_of_ours_and_never_more(seed: int, alarms: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = {rule.name: rng.normal(size=200) for rule in RULES}
    scores[OURS.name] = rng.permutation(np.where(np.arange(200) < alarms, LEVEL + 1, 0.0))
    if tied:
        scores[RULES[-1].name] = rng.integers(0, 4, 200).astype(np.float64)
    found = tuned(scores)
    assert found.realised == alarms / 200
    for rule in RULES:
        realised = int((scores[rule.name] > found.level[rule.name]).sum())
        assert realised <= alarms
        assert realised == alarms or (tied and rule is RULES[-1])


def test_without_a_false_alarm_of_ours_there_is_no_rate_to_tune_to() -> None:
    with pytest.raises(ValueError, match="use more"):
        tuned({rule.name: np.zeros(10) for rule in RULES})


def test_ours_finds_a_large_change_at_once_and_misses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delays, "RULES", (OURS,))
    monkeypatch.setattr(delays, "PATIENCE", 4)
    monkeypatch.setattr(delays, "CHANGES", [change for change in CHANGES if change.features == 1])
    found = delays_of_stream(0, Levels(level={OURS.name: LEVEL, STRICT: 1e9}, realised=0.01, windows=1))
    assert found[".5 sd in 1"][OURS.name] <= 3
    assert all(row[STRICT] == np.inf for row in found.values())


def test_a_change_that_more_than_half_of_the_streams_miss_has_no_delay() -> None:
    assert middle([1, np.inf, np.inf]) is None
    assert middle([1, 3, np.inf]) == 3


@pytest.mark.parametrize(("ours", "other", "late"), [(10, 10, False), (11, 10, False), (12, 10, True), (None, 10, True),
                                                     (10, None, False), (None, None, False)])
def test_ours_is_behind_when_another_finds_it_a_tenth_sooner(ours: float, other: float, late: bool) -> None:
    assert behind({OURS.name: ours, "other": other, STRICT: 1}) == late


def test_the_ks_distance_is_scipys() -> None:
    rng = np.random.default_rng(0)
    reference, live = rng.normal(size=(500, 3)).round(1), rng.normal(0.2, 1, (600, 3)).round(1)
    live[207, 0] = np.nan
    found = kolmogorov_smirnov(reference, live, 4)
    votes = share_drifted(reference, live, 4)
    for window, feature in np.ndindex(4, 3):
        rows = live[200 + window * WINDOW:, feature][:WINDOW]
        rows = rows[np.isfinite(rows)]
        distance, p_value = map(float, ks_2samp(reference[:, feature], rows))  # pyright: ignore[reportArgumentType]
        assert found[window, feature] == pytest.approx(distance * np.sqrt(rows.size * 500 / (rows.size + 500)))
        assert votes[window, feature] == (p_value < 0.05)


def test_psi_of_a_window_that_is_half_in_one_tenth_is_the_sum_over_the_tenths() -> None:
    reference = np.arange(1_000.0)[:, None]
    live = np.where(np.arange(WINDOW) < 50, 5.0, np.linspace(0, 999, WINDOW))[:, None]
    shares = np.bincount((live[:, 0] // 100).astype(int), minlength=10) / WINDOW
    due = ((shares - 0.1) * np.log(np.maximum(shares, 1e-4) / 0.1))[shares > 0].sum()
    due += ((1e-4 - 0.1) * np.log(1e-4 / 0.1)) * (shares == 0).sum()
    assert stability_index(reference, live, 1)[0, 0] == pytest.approx(due, abs=0.03)


@pytest.mark.parametrize("delta", [0.2, 0.002])
def test_adwin_fires_in_the_window_in_which_rivers_does(delta: float) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=1_500)
        rows[900:] += rng.choice([0.0, 0.3, 0.6, 1.0])
        detector, fired = ADWIN(delta=delta), None
        for number, value in enumerate(rows.tolist()):
            detector.update(value)
            if detector.drift_detected:
                fired = number
                break
        found = adaptive_windowing(rows[:300, None], rows[300:, None], 12)[:, 0] > np.log(1 / delta)
        if fired is None:
            assert not found.any()
        elif fired >= 300:
            assert np.flatnonzero(found)[0] == (fired - 300) // WINDOW
