"""Changes that are certain and do not matter: .01 standard deviations are no alarm, however many rows prove them.

One normal feature; a window's counts are drawn from the cells' exact probabilities, so that a million rows cost no more
than a hundred. 64 drift-free windows are history, then the change comes.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from scipy.special import ndtr

from bench.decisions.judging import WindowJudge
from bench.decisions.streams import Stream, independent
from drift.decision import DecisionSettings
from drift.profile import ReferenceProfile

SETTINGS = DecisionSettings(budget_windows=10_000)
WINDOWS = 200  # changed ones of a draw
SIZES, SHIFTS = (10_000, 1_000_000), (0.0, 0.01, 0.1)
_STREAM = Stream(name="numbers", draw=independent)


@dataclass(frozen=True, kw_only=True)
class Share:
    """Of the windows after a shift (standard deviations) those that alarm: on significance alone, and as we decide."""

    rows: int
    shift: float
    significant: float
    alarmed: float
    windows: int


def measure(pool: Executor, progress: Progress, draws: int) -> list[Share]:
    """For windows and references of each size, from `draws` references."""
    sizes = [size for size in SIZES for _ in range(draws)]
    tasks = pool.map(shares, sizes, [*range(draws)] * len(SIZES))
    parts = np.array(list(progress.track(tasks, total=len(sizes), description="immaterial")))
    means = parts.reshape(len(SIZES), draws, len(SHIFTS), 2).mean(axis=1)
    return [Share(rows=size, shift=shift, significant=float(both[0]), alarmed=float(both[1]), windows=draws * WINDOWS)
            for size, by_shift in zip(SIZES, means, strict=True) for shift, both in zip(SHIFTS, by_shift, strict=True)]


def shares(size: int, draw: int) -> list[Sequence[float]]:
    """Share of windows that alarm without and with materiality, after each shift, under one reference of `size`."""
    rng = np.random.default_rng([size, draw])
    profile = _STREAM.profile(_STREAM.draw(rng, size, 1))
    settings = DecisionSettings(budget_windows=SETTINGS.budget_windows, min_effect=0), SETTINGS
    judges = [WindowJudge(profile, each) for each in settings]
    found: list[Sequence[float]] = []
    for shift in SHIFTS:
        history = np.concatenate([rng.multinomial(size, cell_shares(profile, by), windows) for by, windows in (
            (0.0, SETTINGS.history_windows), (shift, WINDOWS))])
        changed = np.arange(SETTINGS.history_windows, len(history))
        level = -np.log(SETTINGS.budget_windows * len(SETTINGS.spans))
        found.append([float((judge.log_p(history, changed) < level).mean()) for judge in judges])
    return found


def cell_shares(profile: ReferenceProfile, shift: float) -> NDArray[np.float64]:
    """Probability of each cell for a normal variable of mean `shift`."""
    below = ndtr(np.array(profile.features[0].edges) - shift)
    return np.concatenate((np.diff(below, prepend=0.0, append=1.0), [0.0]))
