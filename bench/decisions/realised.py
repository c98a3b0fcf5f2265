"""Realised over declared false alarms, on streams in which nothing changes.

A draw is a reference and the windows after it. Materiality is switched off and uncalibrated features are judged too, so
that the test alone must keep the budget: for one feature an alarm in 100, 1,000 or 10,000 windows, for 10 or 100
features together one in 100 (where there are 100; a feature alone is a reference of its own, and fewer draws do).
Windows are judged once the history is as long as it gets; every second one, since neighbours share their history.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.decisions.judging import WindowJudge
from bench.decisions.streams import STREAMS
from drift.decision import DecisionSettings

SETTINGS = DecisionSettings(budget_windows=100, min_effect=0.0)
LEVELS = ((1, 100), (1, 1_000), (1, 10_000), (10, 100), (100, 100))  # features together, windows a false alarm
TOGETHER = 100  # features
FEW_DRAWS = 30
LIMIT = 1.2  # of the lower bound of a ratio
RESAMPLES = 2_000
CHUNK = 10  # draws of one task
HARD = ("independent", "correlated .5", "AR(1) .9", "bursts of 10 rows an entity", "stochastic volatility",
        "mixed, correlated, AR(1) .5, 2 % missing")
UNRELATED = ("independent", "correlated .5", "heavy tails (Cauchy)", "ties (Poisson 2)", "5 categories")  # rows
LONG = ("independent", "AR(1) .9", "AR(1) .99", "cycle of 27 rows", "cycle of 1,000 rows", HARD[-1])


@dataclass(frozen=True, kw_only=True)
class Case:
    """Rows of a window and of the reference; of 100 `features` 1, 10 and 100 are judged together, fewer each alone."""

    stream: str
    window: int = 100
    reference: int = 1_000
    features: int = 10
    judged: int = 60

    @property
    def name(self) -> str:
        """Unique in a run."""
        return f"{self.stream}; windows of {self.window:,}, reference of {self.reference:,}"

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """Those of `LEVELS` that there are features for."""
        return LEVELS if self.features == TOGETHER else tuple(level for level in LEVELS if level[0] == 1)

    @property
    def hidden(self) -> bool:
        """Whether the reference often cannot know what comes, so that no budget could be kept."""
        return STREAMS[self.stream].hidden and self.reference < 10_000


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One ratio, with the 5 % and 95 % points of its bootstrap distribution over draws."""

    case: Case
    together: int
    budget: int
    ratio: float
    low: float
    high: float
    references: int

    @property
    def name(self) -> str:
        """Of the ratio: unique in a run."""
        features = "1 feature" if self.together == 1 else f"{self.together} features"
        excepted = " (not in the reference: excepted)" if self.case.hidden else ""
        return f"{self.case.name}; {features}, one in {self.budget:,}{excepted}"

    @property
    def exceeds(self) -> bool:
        """Whether the budget is broken beyond chance."""
        return self.low > LIMIT and not self.case.hidden


QUICK = (
    *(Case(stream=name, features=TOGETHER if name == HARD[0] else 10) for name in STREAMS),
    *(Case(stream=name, reference=10_000) for name in STREAMS),
    Case(stream="AR(1) .9", window=50), Case(stream="AR(1) .9", window=1_000, reference=10_000),
    Case(stream="independent", window=5_000, reference=10_000, judged=20),
)
FULL = (
    *(Case(stream=name, reference=reference, features=TOGETHER if name in HARD and reference == 1_000 else 10)
      for name in STREAMS for reference in (1_000, 10_000)),
    *(Case(stream=name, window=50) for name in LONG),
    *(Case(stream=name, window=window, reference=10_000, judged=30) for name in LONG for window in (1_000, 5_000)),
)


def measure(pool: Executor, cases: Sequence[Case], draws: int) -> Iterator[list[Cell]]:
    """The cells of each case in turn, from `draws` draws where features are judged together, or else `fewer`."""
    tasks = [[pool.submit(alarmed, case, chunk) for chunk in chunks(draws if case.features == TOGETHER else
                                                                     fewer(draws))] for case in cases]
    for case, parts in zip(cases, tasks, strict=True):
        yield cells(case, np.concatenate([part.result() for part in parts]))


def fewer(draws: int) -> int:
    """Draws of ten features each of which is a reference by itself: at least twice as many references."""
    return max(FEW_DRAWS, draws // 5)


def chunks(draws: int) -> list[range]:
    """Draws of one task each."""
    return [range(first, min(draws, first + CHUNK)) for first in range(0, draws, CHUNK)]


def alarmed(case: Case, draws: Iterable[int]) -> NDArray[np.float64]:
    """Share of alarmed windows of each draw, shape (draws, len(case.levels))."""
    seed = crc32(f"{case.name}; {case.features}".encode())
    return np.array([_alarmed(case, np.random.default_rng([seed, draw])) for draw in draws])


def _alarmed(case: Case, rng: Generator) -> list[float]:
    stream = STREAMS[case.stream]
    history = min(SETTINGS.history_windows, 8 * case.reference // case.window)
    judged = history - 1 + 2 * np.arange(case.judged)
    rows = stream.draw(rng, case.reference + (int(judged[-1]) + 1) * case.window, case.features)
    profile = stream.profile(rows[:case.reference])
    counts = stream.counts(profile, rows[case.reference:], case.window)
    log_p = WindowJudge(profile, SETTINGS).log_p(counts, judged)
    return [share_alarmed(log_p, *level) for level in case.levels]


def share_alarmed(log_p: NDArray[np.float64], together: int, budget: int) -> float:
    """Share of windows that alarm when every `together` features have one budget: log p is (windows, features)."""
    groups = log_p.reshape(len(log_p), -1, together).min(axis=2)
    return float((groups < -np.log(budget * together * len(SETTINGS.spans))).mean())


def cells(case: Case, shares: NDArray[np.float64]) -> list[Cell]:
    """Of the shares of alarmed windows, a row a draw."""
    found = []
    for (together, budget), share in zip(case.levels, shares.T, strict=True):
        ratio, low, high = interval(share * budget)
        found.append(Cell(case=case, together=together, budget=budget, ratio=ratio, low=low, high=high,
                          references=len(shares) * case.features // together))
    return found


def interval(ratios: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, and the 5 % and 95 % points of its bootstrap distribution.

    Draws are resampled, not features, since the features of a draw may depend on each other.
    """
    resampled = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.quantile(ratios[resampled].mean(axis=1), [0.05, 0.95])
    return round(float(ratios.mean()), 4), round(float(low), 4), round(float(high), 4)


def pooled(found: Sequence[Cell]) -> float:
    """Mean ratio of the cells whose reference can know what comes."""
    return float(np.mean([cell.ratio for cell in found if not cell.case.hidden]))
