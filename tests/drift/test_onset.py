"""In which window a change began."""

from collections.abc import Callable

import numpy as np
import pytest

from drift.contrasts import LINEAR, LOCATION
from drift.counts import CellCounter
from drift.decision import Decider, DecisionSettings
from drift.onset import estimate_onset
from drift.profile import FeatureColumn, ReferenceProfile, build_profile

Change = Callable[[np.random.Generator, np.ndarray], None]

ROWS, BEFORE, AFTER = 100, 64, 30  # rows of a window, windows before the change and at most after it
SETTINGS = DecisionSettings(budget_windows=1000 * 10)


def shifted(rng: np.random.Generator, rows: np.ndarray) -> None:
    del rng
    rows += 0.3


def wider(rng: np.random.Generator, rows: np.ndarray) -> None:
    del rng
    rows *= 1.3


def gappy(rng: np.random.Generator, rows: np.ndarray) -> None:
    rows[rng.random(len(rows)) < 0.03] = np.nan


def errors(change: Change, reference: int, later: int) -> list[int]:
    """Windows by which the onset is missed, `later` windows after the first alarm: below 0 it is dated too late."""
    found = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=reference + (BEFORE + AFTER + later) * ROWS)
        change(rng, rows[reference + BEFORE * ROWS :])
        profile = build_profile([FeatureColumn(name="x", kind="number", values=rows[:reference])])
        counter, decider = CellCounter(profile), Decider(profile, SETTINGS)
        cells = counter.indices(rows[reference:, None], [])
        windows = np.stack([counter.count(part) for part in np.split(cells, BEFORE + AFTER + later)])
        alarmed = (end for end in range(BEFORE + 1, BEFORE + AFTER) if decider.decide(windows[:end]).alarm)
        end = next(alarmed, None)
        onset = None if end is None else decider.decide(windows[: end + later]).onset
        if end is not None and onset is not None:
            found.append(onset - (end + later - BEFORE - 1))
    return found


@pytest.mark.parametrize("later", [0, 10], ids=["at once", "ten windows later"])
@pytest.mark.parametrize("reference", [1000, 5000])
@pytest.mark.parametrize("change", [shifted, wider, gappy])
def test_half_of_the_steps_are_dated_exactly_and_the_mean_error_is_below_a_window(
    change: Change, reference: int, later: int
) -> None:
    found = np.array(errors(change, reference, later))
    assert len(found) >= 23
    assert np.median(np.abs(found)) == 0
    assert np.abs(found).mean() < 1


def constant_rate(profile: ReferenceProfile, *windows: int) -> np.ndarray:
    """Windows of the reference's own counts, each so many times."""
    return np.array([profile.features[0].counts]) * np.array(windows)[:, None]


@pytest.fixture
def profile() -> ReferenceProfile:
    values = np.random.default_rng(0).normal(size=400)
    return build_profile([FeatureColumn(name="x", kind="number", values=values)])


def test_a_change_that_is_older_than_the_history_began_in_its_oldest_window(profile: ReferenceProfile) -> None:
    history = np.zeros((5, profile.size), np.int64)
    history[:, 15] = 100
    assert estimate_onset(profile.features[0], LOCATION, history) == 4


def test_a_window_without_rows_is_no_obstacle_and_no_onset(profile: ReferenceProfile) -> None:
    history = constant_rate(profile, 1, 1, 1, 0, 0, 1)
    history[2:, 2:] = history[2:, :-2]  # up by two cells
    history[2:, :2] = 0
    assert estimate_onset(profile.features[0], LOCATION, history) == 3


def test_windows_of_any_size_are_weighed_by_their_rows(profile: ReferenceProfile) -> None:
    history = constant_rate(profile, 1, 1, 1, 20)
    history[1:, -1] += history[1:].sum(axis=1) // 10  # missing in one row of eleven
    missing = LINEAR + profile.size - 1
    assert estimate_onset(profile.features[0], missing, history) == 2
