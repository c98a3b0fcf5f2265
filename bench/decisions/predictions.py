"""A profile of what a model predicts: of which rows, and of which model, must the reference be.

A gradient-boosted classifier on 8 normal features, two classes, noise; its score is watched as a feature of its own at
one false alarm in 100 windows, after a promotion. The reference is either what it says of rows labelled after the fit
(the product's, of a promoted model), or what a trial fitted on the first four fifths of its training rows says of the
last (the product's first model, which may not alarm), or what forward-chained models said of each fifth of its training
rows from the rows before, or what it says of its own training rows. Nothing changes in the stream.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from lightgbm import LGBMClassifier
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import Progress

from bench.decisions.judging import WindowJudge
from bench.decisions.realised import SETTINGS, chunks, interval
from bench.decisions.streams import independent
from drift.decision import DecisionSettings
from drift.predictions import PredictionCounter, prediction_profile

WINDOW, FEATURES, FOLDS, TREES = 100, 8, 5, 50
JUDGED, EVERY = 60, 2
SIZES = (1_000, 4_000)  # rows of the reference
MATERIAL = DecisionSettings(budget_windows=SETTINGS.budget_windows)
Matrix = NDArray[np.float64]
Model = Callable[[Matrix], Matrix]
Labelled = tuple[Matrix, NDArray[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Ratio, with its interval, of one kind of reference; `material`: the same with materiality, as the product has."""

    reference: str
    rows: int
    ratio: float
    low: float
    high: float
    material: float
    references: int


def measure(pool: Executor, progress: Progress, draws: int) -> list[Promotion]:
    """Of each kind and size, from `draws` models."""
    tasks = {(kind, rows): [pool.submit(alarmed, kind, rows, chunk) for chunk in chunks(draws)]
             for rows in SIZES for kind in KINDS}
    found = []
    for (kind, rows), parts in progress.track(tasks.items(), description="predictions"):
        shares = np.concatenate([part.result() for part in parts]) * SETTINGS.budget_windows
        ratio, low, high = interval(shares[:, 0])
        found.append(Promotion(reference=kind, rows=rows, ratio=ratio, low=low, high=high,
                               material=round(float(shares[:, 1].mean()), 4), references=draws))
    return found


def alarmed(kind: str, rows: int, draws: Iterable[int]) -> NDArray[np.float64]:
    """Share of alarmed windows of each draw, without and with materiality: shape (draws, 2)."""
    return np.array([_alarmed(kind, rows, np.random.default_rng([rows, draw])) for draw in draws])


def _alarmed(kind: str, rows: int, rng: Generator) -> list[float]:
    judged = SETTINGS.history_windows - 1 + EVERY * np.arange(JUDGED)
    model, reference = KINDS[kind](rng, rows)
    profile = prediction_profile("binary", [], reference)
    live = model(independent(rng, (int(judged[-1]) + 1) * WINDOW, FEATURES))
    cells = PredictionCounter(profile, "binary").cells([], live).reshape(-1, WINDOW)
    counts = np.stack([np.bincount(window, minlength=profile.size) for window in cells])
    level = -np.log(SETTINGS.budget_windows * len(SETTINGS.spans))
    return [float((WindowJudge(profile, each).log_p(counts, judged) < level).mean()) for each in (SETTINGS, MATERIAL)]


def _labelled(rng: Generator, rows: int) -> Labelled:
    values = independent(rng, rows, FEATURES)
    return values, values[:, :4].sum(axis=1) + rng.normal(0, 2, rows) > 0


def _fit(data: Labelled) -> Model:
    model = LGBMClassifier(n_estimators=TREES, n_jobs=1, verbose=-1, random_state=0, deterministic=True,
                           force_row_wise=True)
    booster = model.fit(*data).booster_
    return lambda values: np.asarray(booster.predict(values))


def _after(rng: Generator, rows: int) -> tuple[Model, Matrix]:
    model = _fit(_labelled(rng, rows))
    return model, model(independent(rng, rows, FEATURES))


def _tried(rng: Generator, rows: int) -> tuple[Model, Matrix]:
    """`rows` are the last fifth."""
    values, labels = _labelled(rng, 5 * rows)
    trial = _fit((values[:4 * rows], labels[:4 * rows]))
    return _fit((values, labels)), trial(values[4 * rows:])


def _chained(rng: Generator, rows: int) -> tuple[Model, Matrix]:
    """The first rows, a quarter as many as the reference has, only train."""
    first = rows // 4
    values, labels = _labelled(rng, first + rows)
    edges = np.linspace(first, first + rows, FOLDS + 1).astype(int)
    said = [_fit((values[:start], labels[:start]))(values[start:end]) for start, end in pairwise(edges)]
    return _fit((values, labels)), np.concatenate(said)


def _trained(rng: Generator, rows: int) -> tuple[Model, Matrix]:
    data = _labelled(rng, rows)
    model = _fit(data)
    return model, model(data[0])


KINDS = {"labelled after the fit": _after, "a trial's, of the last fifth": _tried,
         "forward-chained in 5 folds": _chained, "its own training rows": _trained}
