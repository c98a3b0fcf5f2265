"""Realised against declared false alarms, and delays: small versions of the benchmark, with fixed seeds."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import lfilter

from drift.decision import DecisionSettings
from drift.profile import ReferenceProfile
from drift.verdict import Verdict

Profiled = Callable[..., ReferenceProfile]
Watched = Callable[..., list[Verdict]]
Change = Callable[[np.random.Generator, np.ndarray], None]

REFERENCES, FEATURES, WINDOWS, ROWS = 15, 20, 100, 100  # 300 references of one feature each, 30,000 windows
BUDGET = 100


def independent(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.normal(size=(rows, FEATURES))


def autoregressive(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.asarray(lfilter([1.0], [1.0, -0.9], rng.normal(size=(rows + 200, FEATURES)), axis=0))[200:]


def alarmed_shares(profiled: Profiled, watched: Watched, draw: Callable, reference: int) -> np.ndarray:
    """Share of alarmed windows of every reference, each feature judged alone at one in 100 windows."""
    settings = DecisionSettings(budget_windows=BUDGET, min_effect=0.0)
    level = -np.log(BUDGET * len(settings.spans))
    shares = []
    for seed in range(REFERENCES):
        rng = np.random.default_rng(seed)
        rows = draw(rng, reference + WINDOWS * ROWS)
        verdicts = watched(profiled(rows[:reference]), settings, rows[reference:], ROWS)
        log_p = np.array(
            [[each.log_p for each in sorted(verdict.features, key=lambda f: f.name)] for verdict in verdicts]
        )
        shares.append((log_p < level).mean(axis=0))
    return np.concatenate(shares)


@pytest.mark.parametrize(("draw", "least"), [(independent, 0.1), (autoregressive, 0.0)])
def test_false_alarms_keep_to_the_declared_budget(
    profiled: Profiled, watched: Watched, draw: Callable, least: float
) -> None:
    realised = alarmed_shares(profiled, watched, draw, 1000) * BUDGET
    resampled = np.random.default_rng(0).choice(realised, (2000, realised.size)).mean(axis=1)
    assert np.quantile(resampled, 0.05) <= 1.2
    assert least <= realised.mean() <= 1.0


def shifted(rng: np.random.Generator, rows: np.ndarray) -> None:
    del rng
    rows += 0.2


def wider(rng: np.random.Generator, rows: np.ndarray) -> None:
    del rng
    rows *= np.sqrt(1.3)


def gappy(rng: np.random.Generator, rows: np.ndarray) -> None:
    rows[rng.random(rows.shape) < 0.02] = np.nan


@pytest.mark.parametrize(("change", "features", "limit"), [(shifted, 1, 14), (wider, 10, 10), (gappy, 10, 2)])
def test_a_change_among_100_features_is_found_in_its_windows(
    profiled: Profiled, watched: Watched, *, change: Change, features: int, limit: int
) -> None:
    """The median of 30 references of 5,000 rows; one false alarm in 10,000 windows of 100 rows.

    The features that stay as they were are left out, and their share of the budget with them: same threshold.
    """
    settings, before = DecisionSettings(budget_windows=10_000 * 100 / features), 64
    delays = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=(5000 + (before + limit + 1) * ROWS, 1))
        rows = np.sqrt(0.7) * rng.normal(size=(len(common), features)) + np.sqrt(0.3) * common
        change(rng, rows[5000 + before * ROWS :])
        verdicts = watched(profiled(rows[:5000]), settings, rows[5000:], ROWS, skip=before)
        delays.append(next((window for window, verdict in enumerate(verdicts, 1) if verdict.alarm), np.inf))
    assert np.median(delays) <= limit
