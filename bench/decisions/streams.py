"""Streams without drift, and the eight changes that are put into one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from drift.counts import CellCounter
from drift.profile import FeatureColumn, ReferenceProfile, build_profile

Matrix = NDArray[np.float64]
Draw = Callable[[Generator, int, int], Matrix]  # rows, features: independent features unless it says otherwise

_CATEGORIES = np.array(["a", "b", "c", "d", "e", None], dtype=object)
_SHARES = np.cumsum([0.6, 0.25, 0.1, 0.04])


@dataclass(frozen=True, kw_only=True)
class Stream:
    """`categories`: 0 all features are numbers, 1 all are codes of categories, 2 every second one is.

    `hidden`: the reference often misses what comes later, so that nothing could keep the budget.
    """

    name: str
    draw: Draw
    categories: int = 0
    hidden: bool = False

    def profile(self, rows: Matrix, longest_cycle: int | None = None) -> ReferenceProfile:
        """Of reference rows (m, features) in time order."""
        kinds = ["category" if self._discrete(j) else "number" for j in range(rows.shape[1])]
        values = [_labels(column) if kind == "category" else column for kind, column in zip(kinds, rows.T, strict=True)]
        columns = [FeatureColumn(name=f"f{j:03}", kind=kind, values=each)  # pyright: ignore[reportArgumentType]
                   for j, (kind, each) in enumerate(zip(kinds, values, strict=True))]
        return build_profile(columns, longest_cycle=longest_cycle)

    def counts(self, profile: ReferenceProfile, rows: Matrix, window: int) -> NDArray[np.int64]:
        """Counts of every full window of rows, shape (windows, profile.size)."""
        counter = CellCounter(profile)
        discrete = [self._discrete(j) for j in range(rows.shape[1])]
        categories = [_labels(column) for column in rows[:, discrete].T]
        cells = counter.indices(np.ascontiguousarray(rows[:, np.logical_not(discrete)]), categories)
        return np.stack([counter.count(cells[start:start + window])
                         for start in range(0, len(rows) - window + 1, window)])

    def _discrete(self, feature: int) -> bool:
        return self.categories > 0 and feature % self.categories == 0


def _labels(codes: Matrix) -> list[str | None]:
    return _CATEGORIES[np.where(np.isnan(codes), -1, codes).astype(np.int64)].tolist()


def independent(rng: Generator, rows: int, features: int) -> Matrix:
    """Standard normal."""
    return rng.normal(size=(rows, features))


def correlated(rho: float) -> Draw:
    """Standard normal features with one common factor, of correlation `rho` with each other."""
    def draw(rng: Generator, rows: int, features: int) -> Matrix:
        return np.sqrt(1 - rho) * rng.normal(size=(rows, features)) + np.sqrt(rho) * rng.normal(size=(rows, 1))
    return draw


def autoregressive(phi: float) -> Draw:
    """AR(1), standard normal at every row."""
    def draw(rng: Generator, rows: int, features: int) -> Matrix:
        shocks = np.sqrt(1 - phi**2) * rng.normal(size=(rows, features))
        found, _ = lfilter([1.0], [1.0, -phi], shocks, axis=0, zi=phi * rng.normal(size=(1, features)))
        return np.asarray(found)
    return draw


def cycle(period: float, amplitude: float = 1.0) -> Draw:
    """A sine of `period` rows, each feature at its own phase, and noise of variance 1."""
    def draw(rng: Generator, rows: int, features: int) -> Matrix:
        wave = np.sin(2 * np.pi * np.arange(rows)[:, None] / period + rng.uniform(0, 2 * np.pi, features))
        return amplitude * wave + rng.normal(size=(rows, features))
    return draw


def _heavy(rng: Generator, rows: int, features: int) -> Matrix:
    return rng.standard_cauchy((rows, features))


def _ties(rng: Generator, rows: int, features: int) -> Matrix:
    return rng.poisson(2, (rows, features)).astype(np.float64)


def _categories(rng: Generator, rows: int, features: int) -> Matrix:
    return np.searchsorted(_SHARES, rng.random((rows, features))).astype(np.float64)


def _entities(rng: Generator, rows: int, features: int) -> Matrix:
    common = np.repeat(rng.normal(size=(rows // 10 + 1, features)), 10, axis=0)[:rows]
    return np.sqrt(0.5) * (common + rng.normal(size=(rows, features)))


def _volatile(rng: Generator, rows: int, features: int) -> Matrix:
    return rng.normal(size=(rows, features)) * np.exp(0.7 * autoregressive(0.95)(rng, rows, features))


def _gaps(rng: Generator, rows: int, features: int) -> Matrix:
    gap = np.repeat(rng.random((rows // 20 + 1, features)) < 0.02, 20, axis=0)[:rows]
    return np.where(gap, np.nan, rng.normal(size=(rows, features)))


def _mixed(rng: Generator, rows: int, features: int) -> Matrix:
    """Numbers and categories of one common factor, autocorrelated, and 2 % of all values missing."""
    found = np.sqrt(0.5) * (autoregressive(0.5)(rng, rows, features) + autoregressive(0.5)(rng, rows, 1))
    found[:, ::2] = np.digitize(found[:, ::2], [-1.5, -0.5, 0.5, 1.5])
    return np.where(rng.random((rows, features)) < 0.02, np.nan, found)


STREAMS = {stream.name: stream for stream in (
    Stream(name="independent", draw=independent),
    Stream(name="correlated .5", draw=correlated(0.5)),
    Stream(name="heavy tails (Cauchy)", draw=_heavy),
    Stream(name="ties (Poisson 2)", draw=_ties),
    Stream(name="5 categories", draw=_categories, categories=1),
    Stream(name="AR(1) .5", draw=autoregressive(0.5)),
    Stream(name="AR(1) .9", draw=autoregressive(0.9)),
    Stream(name="AR(1) .99", draw=autoregressive(0.99)),
    Stream(name="bursts of 10 rows an entity", draw=_entities),
    Stream(name="stochastic volatility", draw=_volatile),
    Stream(name="cycle of 27 rows", draw=cycle(27)),
    Stream(name="cycle of 1,000 rows", draw=cycle(1_000)),
    Stream(name="mixed, correlated, AR(1) .5, 2 % missing", draw=_mixed, categories=2),
    Stream(name="2 % missing in bursts of 20", draw=_gaps, hidden=True),
)}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to the first `features` columns from some row on; `apply` gives their new rows."""

    name: str
    features: int
    apply: Callable[[Generator, Matrix], Matrix]


def _moved(by: float) -> Callable[[Generator, Matrix], Matrix]:
    def apply(_: Generator, rows: Matrix) -> Matrix:
        return rows + by
    return apply


def _wider(_: Generator, rows: Matrix) -> Matrix:
    return rows * np.sqrt(1.3)


def _swapped(_: Generator, rows: Matrix) -> Matrix:
    """The fourth and the ninth tenth of a standard normal change places, each keeping its width."""
    low, high = (rows > -0.5244) & (rows < -0.2533), (rows > 0.8416) & (rows < 1.2816)
    return rows + (0.8416 + 0.5244) * (low.astype(np.float64) - high)


def _missing(rng: Generator, rows: Matrix) -> Matrix:
    return np.where(rng.random(rows.shape) < 0.02, np.nan, rows)


CHANGES = (
    Change(name=".1 sd in 1 feature", features=1, apply=_moved(0.1)),
    Change(name=".2 sd in 1", features=1, apply=_moved(0.2)),
    Change(name=".5 sd in 1", features=1, apply=_moved(0.5)),
    Change(name=".2 sd in 10", features=10, apply=_moved(0.2)),
    Change(name="variance x 1.3 in 10", features=10, apply=_wider),
    Change(name="two tenths swapped in 10", features=10, apply=_swapped),
    Change(name="missing 0 → 2 % in 10", features=10, apply=_missing),
    Change(name=".05 sd in all 100", features=100, apply=_moved(0.05)),
)
