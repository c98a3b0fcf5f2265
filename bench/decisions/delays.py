"""How soon a change is found, beside rules that others use, all at the same realised rate of false alarms.

100 normal features of correlation 0.3, windows of 100 rows, a reference of 5,000, 64 drift-free windows as history.
Ours declares one false alarm in 100 windows. On drift-free streams that realises some rate; the level of every other
rule is then the one at which it realises the same. Only the features that change are watched afterwards (a vote sees
all), at the level found for all 100, so that a false alarm elsewhere is not taken for a find.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import Progress

from bench.decisions.rules import OURS, RULES, SETTINGS, WINDOW, Rule
from bench.decisions.streams import CHANGES, Matrix, correlated

FEATURES, REFERENCE, HISTORY = 100, 5_000, 64
PATIENCE = 128  # windows after which a change counts as missed
STRICT_BUDGET = 10_000  # "at most 14 windows for .2 sd in one feature, ..."
STRICT = "ours, one in 10,000"
_draw = correlated(0.3)
_DRIFT_FREE, _CHANGED = 0, 1  # seeds


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The level of each rule, and the share of drift-free windows in which ours alarms, as all others then do."""

    level: dict[str, float]
    realised: float
    windows: int


def declared(budget: float) -> float:
    """Our level for one false alarm in so many windows."""
    return float(np.log(budget * FEATURES * len(SETTINGS.spans)))


def levels(pool: Executor, progress: Progress, references: int, windows: int) -> Levels:
    """From `references` drift-free streams of `windows` windows each.

    Raises:
        ValueError: when ours never alarmed: there is no rate to be tuned to.
    """
    tasks = pool.map(drift_free, range(references), [windows] * references)
    parts = list(progress.track(tasks, total=references, description="equal rates"))
    return tuned({rule.name: np.concatenate([part[rule.name] for part in parts]) for rule in RULES})


def tuned(scores: dict[str, NDArray[np.float64]]) -> Levels:
    """The levels that as many windows exceed as exceed ours; of tied scores all or none do."""
    ours = scores[OURS.name]
    alarms = int((ours > declared(SETTINGS.budget_windows)).sum())
    if alarms == 0:
        raise ValueError(f"none of {ours.size} drift-free windows alarmed: use more")
    level = {name: float(np.sort(score)[-alarms - 1]) for name, score in scores.items()}
    return Levels(level=level | {OURS.name: declared(SETTINGS.budget_windows), STRICT: declared(STRICT_BUDGET)},
                  realised=alarms / ours.size, windows=ours.size)


def drift_free(seed: int, windows: int) -> dict[str, NDArray[np.float64]]:
    """Every rule's score of each window."""
    rng = np.random.default_rng([_DRIFT_FREE, seed])
    reference, live = _stream(rng, windows)
    return {rule.name: rule.score(rule.evidence(reference, live, windows)) for rule in RULES}


def delays(pool: Executor, progress: Progress, found: Levels, streams: int) -> dict[str, dict[str, float | None]]:
    """Median windows from each change to the alarm, by change and rule, over `streams` streams; none where missed."""
    tasks = pool.map(delays_of_stream, range(streams), [found] * streams)
    parts = list(progress.track(tasks, total=streams, description="delays"))
    return {change.name: {name: middle([part[change.name][name] for part in parts]) for name in found.level}
            for change in CHANGES}


def middle(windows: Sequence[float]) -> float | None:
    """The median; none where it is infinite."""
    found = float(np.median(windows))
    return found if np.isfinite(found) else None


def delays_of_stream(seed: int, found: Levels) -> dict[str, dict[str, float]]:
    """Windows from each change to each rule's alarm on one stream, infinite where there is none."""
    rng = np.random.default_rng([_CHANGED, seed])
    reference, live = _stream(rng, PATIENCE)
    votes = {rule.name: rule.evidence(reference, live, PATIENCE) for rule in RULES if rule.vote}
    result = {}
    for change in CHANGES:
        rows = live[:, :change.features].copy()
        rows[HISTORY * WINDOW:] = change.apply(rng, rows[HISTORY * WINDOW:])
        scores = {rule.name: _score(rule, reference, rows, votes.get(rule.name)) for rule in RULES}
        scores[STRICT] = scores[OURS.name]
        result[change.name] = {name: _first(scores[name] > level) for name, level in found.level.items()}
    return result


def _score(rule: Rule, reference: Matrix, rows: Matrix, vote: Matrix | None) -> NDArray[np.float64]:
    changed = rule.evidence(reference[:, :rows.shape[1]], rows, PATIENCE)
    return rule.score(changed if vote is None else np.hstack((changed, vote[:, rows.shape[1]:])))


def _first(alarms: NDArray[np.bool_]) -> float:
    return float(alarms.argmax() + 1) if alarms.any() else np.inf


def _stream(rng: Generator, windows: int) -> tuple[Matrix, Matrix]:
    rows = _draw(rng, REFERENCE + (HISTORY + windows) * WINDOW, FEATURES)
    return rows[:REFERENCE], rows[REFERENCE:]


def behind(row: dict[str, float | None], tolerance: float = 0.1) -> bool:
    """Whether another rule finds a change more than a tenth sooner than ours."""
    others = [windows for name, windows in row.items() if name not in {OURS.name, STRICT} and windows is not None]
    ours = row[OURS.name]
    return bool(others) and (ours is None or ours > (1 + tolerance) * min(others))
