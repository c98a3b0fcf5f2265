"""Cycles that the reference does not cover, with the rule that keeps such features from alarming and without it.

A sine in noise is judged at one false alarm in 100 windows. *Without* the rule every feature may alarm; *undeclared*,
the product silences features whose reference is worth too few independent rows; *declared*, the pipeline names the
cycle as its `longest_cycle`, and the product silences what the reference covers fewer than three cycles of. Streams
without a cycle show what the rule costs where it is not needed.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from bench.decisions.judging import WindowJudge
from bench.decisions.realised import SETTINGS, interval
from bench.decisions.streams import STREAMS, Stream, cycle

WINDOW, FEATURES, EVERY = 100, 10, 3
HISTORY = SETTINGS.history_windows
LENGTHS = (0.27, 0.5, 1, 2, 4)  # of the cycle, in references
STEADY = ("independent", "AR(1) .9", "AR(1) .99")
RULES = ("without", "undeclared", "declared")


@dataclass(frozen=True, kw_only=True)
class World:
    """A cycle of `length` references, or, where there is none, one of the steady streams."""

    reference: int
    amplitude: float = 0.0
    length: float = 0.0
    steady: str = ""

    @property
    def name(self) -> str:
        """Unique in a run."""
        if self.steady:
            return f"no cycle, {self.steady}; reference of {self.reference:,}"
        return f"cycle of {self.length:g} references, amplitude {self.amplitude:g}; reference of {self.reference:,}"

    @property
    def period(self) -> int | None:
        """Rows of the cycle."""
        return None if self.steady else round(self.length * self.reference)

    @property
    def stream(self) -> Stream:
        """What is drawn."""
        period = self.period
        return STREAMS[self.steady] if period is None else Stream(name=self.name, draw=cycle(period, self.amplitude))

    @property
    def windows(self) -> int:
        """At least one whole cycle."""
        return max(60, (self.period or 0) // WINDOW)


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Of one world: ratio and its 5 % point by rule; the share of features that each rule silences."""

    world: World
    ratio: dict[str, float]
    low: dict[str, float]
    silenced: dict[str, float]
    references: int


QUICK = (*(World(reference=1_000, amplitude=1, length=length) for length in LENGTHS),
         *(World(reference=1_000, steady=name) for name in STEADY))
FULL = (*(World(reference=reference, amplitude=amplitude, length=length)
          for reference in (1_000, 5_000) for amplitude in (1, 0.3) for length in LENGTHS),
        *(World(reference=reference, steady=name) for reference in (1_000, 5_000) for name in STEADY))


def measure(pool: Executor, progress: Progress, worlds: Sequence[World], draws: int) -> list[Silence]:
    """Of every world, from `draws` draws of ten features."""
    tasks = pool.map(_measured, worlds, [draws] * len(worlds))
    return list(progress.track(tasks, total=len(worlds), description="uncalibrated"))


def _measured(world: World, draws: int) -> Silence:
    return silence(world, judged(world, range(draws)))


def judged(world: World, draws: Iterable[int]) -> NDArray[np.float64]:
    """Share of alarmed windows and of silenced features, by rule: shape (draws, 2, 3)."""
    return np.array([_judged(world, draw) for draw in draws])


def _judged(world: World, draw: int) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng([crc32(world.name.encode()), draw])
    stream = world.stream
    rows = stream.draw(rng, world.reference + (HISTORY + world.windows) * WINDOW, FEATURES)
    reference, live = rows[:world.reference], rows[world.reference:]
    profile, declared = stream.profile(reference), stream.profile(reference, world.period)
    log_p = WindowJudge(profile, SETTINGS).log_p(
        stream.counts(profile, live, WINDOW), np.arange(HISTORY, HISTORY + world.windows, EVERY))
    alarms = (log_p < -np.log(SETTINGS.budget_windows * len(SETTINGS.spans))).mean(axis=0)
    speaking = (np.ones(FEATURES), *(np.array([feature.calibrated for feature in each.features], dtype=np.float64)
                                     for each in (profile, declared)))
    return [float((alarms * may).mean()) for may in speaking], [float(1 - may.mean()) for may in speaking]


def silence(world: World, shares: NDArray[np.float64]) -> Silence:
    """Of the shares that `judged` gave."""
    found = [interval(share * SETTINGS.budget_windows) for share in shares[:, 0].T]
    return Silence(
        world=world, ratio=dict(zip(RULES, (ratio for ratio, _, _ in found), strict=True)),
        low=dict(zip(RULES, (low for _, low, _ in found), strict=True)),
        silenced=dict(zip(RULES, shares[:, 1].mean(axis=0).round(4).tolist(), strict=True)),
        references=len(shares) * FEATURES)
