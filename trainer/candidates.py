"""Fitting one recipe, and what the fitted expert answers."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from schemas.codec import FeatureMatrix
from schemas.messages import FeatureValue, LabelValue, Recipe
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from trainer.errors import UnusableRows
from trainer.families import FOLDS, estimator
from trainer.gate import MAX_LOSS
from trainer.history import Rows, TrainingRows
from trainer.thresholds import round_thresholds

UNSEEN = 1e-3  # probability of each class that the log has shown but the fitted rows have not
MAX_CATEGORIES = 100
BACKGROUND_ROWS = 100


class FittedExpert:
    """A fitted model behind one interface, whatever its family and whichever classes its rows had.

    `known`: places in `metadata.classes` of the classes that the model was fitted on. `centre`, `spread`: a model of
    values was fitted on them less `centre`, over `spread`.
    """

    def __init__(self, model: Any, metadata: ModelMetadata, known: Sequence[int], centre: float = 0.0,
                 spread: float = 1.0) -> None:
        self.model = model
        self.metadata = metadata
        self.known = tuple(known)
        self.centre = centre
        self.spread = spread
        self._matrix = FeatureMatrix(metadata.features)
        self._codes = metadata.codes()

    def matrix(self, rows: Rows) -> NDArray[np.float32]:
        """Model input, (rows, features)."""
        return self._matrix.join(rows.numbers, rows.discrete, self._codes)

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """Probabilities (rows, classes) in the order of `metadata.classes`, or values (rows,)."""
        return self.answer(self.matrix(rows))

    def answer(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """As `predict`, from model input."""
        wide = matrix.astype(np.float64)  # a huge number over a small standard deviation is no float32
        with warnings.catch_warnings():  # LightGBM names its columns, we pass arrays
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            if self.metadata.task == "regression":
                return np.asarray(self.model.predict(wide), dtype=np.float64) * self.spread + self.centre
            answers = np.asarray(self.model.predict_proba(wide), dtype=np.float64)
        unseen = len(self.metadata.classes) - len(self.known)
        probabilities = np.full((len(matrix), len(self.metadata.classes)), UNSEEN)
        probabilities[:, self.known] = answers * (1 - unseen * UNSEEN)
        return probabilities

    def targets(self, labels: Sequence[LabelValue]) -> NDArray[Any]:
        """What the model is fitted on: values, centred and scaled, or the place of each class in `known`; -1 of one
        that is not among them."""
        if self.metadata.task == "regression":
            return (np.array(labels, dtype=np.float64) - self.centre) / self.spread
        place = {self.metadata.classes[k]: i for i, k in enumerate(self.known)}
        return np.array([place.get(str(label), -1) for label in labels])

    def losses(self, rows: Rows, scale: float) -> list[float]:
        """Loss of each row, at most 3: log loss, or absolute error over `scale`.

        Rounded, so that last bits, which depend on how many rows are asked at once, never reach a decision.
        """
        answers = self.predict(rows)
        if self.metadata.task == "regression":
            losses = np.abs(answers - np.array(rows.labels, dtype=np.float64)) / scale
        else:
            place = {label: k for k, label in enumerate(self.metadata.classes)}
            own = [place.get(str(label), -1) for label in rows.labels]
            chosen = np.where(np.array(own) < 0, 0.0, answers[np.arange(len(own)), own])
            losses = -np.log(np.maximum(chosen, np.exp(-MAX_LOSS)))
        return np.minimum(losses, MAX_LOSS).round(6).tolist()


def fit(pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> FittedExpert:
    """Fit a recipe on its dataset; the same rows give the same model.

    Raises:
        UnusableRows: without rows, or when all have one class.
    """
    expert = unfitted(pipeline, recipe, data)
    targets = expert.targets(data.rows.labels)
    if recipe.family == "stacking":
        _require_classes_in_folds(pipeline, targets)
    with quiet():
        expert.model.fit(expert.matrix(data.rows), targets)
    round_thresholds(expert.model)
    return expert


def unfitted(pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> FittedExpert:
    """What `fit` fits on the dataset.

    Raises:
        UnusableRows: without rows, or when all have one class.
    """
    labels = data.rows.labels
    if not len(labels):
        raise UnusableRows("the dataset has no rows")
    metadata = ModelMetadata(task=pipeline.task, features=pipeline.features,
                             categories=_categories(pipeline, data.rows), classes=data.classes,
                             background=_background(pipeline, data.rows))
    model = estimator(recipe.family, metadata, recipe.seed, recipe.parameters)
    if pipeline.task == "regression":
        values = np.array(labels, dtype=np.float64)
        return FittedExpert(model, metadata, (), float(values.mean()), float(values.std()) or 1.0)
    present = set(labels)
    known = [k for k, label in enumerate(metadata.classes) if label in present]
    if len(known) == 1:
        raise UnusableRows(f"all {len(labels)} rows have the class {labels[0]!r}; at least two classes are needed")
    return FittedExpert(model, metadata, known)


def mean_loss(expert: FittedExpert, rows: Rows) -> float:
    """Mean log loss, or mean absolute error in the label's unit."""
    if expert.metadata.task == "regression":
        return float(np.mean(np.abs(expert.predict(rows) - np.array(rows.labels, dtype=np.float64))))
    return float(np.mean(expert.losses(rows, 1.0)))


@contextmanager
def quiet() -> Iterator[None]:
    """Fit on one thread and without warnings: convergence is judged by the loss on fresh rows."""
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        yield


def _require_classes_in_folds(pipeline: Pipeline, targets: NDArray[Any]) -> None:
    if len(targets) < FOLDS:
        raise UnusableRows(f"{len(targets)} rows make no {FOLDS} folds; stacking needs more")
    parts = np.array_split(targets, FOLDS)
    others = (np.concatenate([*parts[:k], *parts[k + 1 :]]) for k in range(FOLDS))
    if pipeline.task != "regression" and any(len(set(part.tolist())) == 1 for part in others):
        raise UnusableRows(f"all rows of one class but one lie within one of {FOLDS} folds in time; stacking needs two "
                           "classes in the others")


def _categories(pipeline: Pipeline, rows: Rows) -> dict[str, tuple[str, ...]]:
    """The most frequent categories of each category feature, at most 100; the others share the code -1."""
    discrete = [feature for feature in pipeline.features if feature.type != "number"]
    tables = {}
    for feature, column in zip(discrete, rows.discrete, strict=True):
        if feature.type == "category":
            counts = Counter(value for value in column if value is not None)
            ranked = sorted(counts, key=lambda value: (-counts[value], value))
            tables[feature.name] = tuple(sorted(ranked[:MAX_CATEGORIES]))
    return tables


def _background(pipeline: Pipeline, rows: Rows) -> tuple[tuple[FeatureValue, ...], ...]:
    """Rows at equal distances in time, so that each of them stands for as many others."""
    chosen = np.linspace(0, len(rows) - 1, min(BACKGROUND_ROWS, len(rows))).astype(int).tolist()
    numbers = [[value if isfinite(value) else None for value in row] for row in rows.numbers[chosen].tolist()]
    matrix = FeatureMatrix(pipeline.features)
    by_place = {j: [row[k] for row in numbers] for k, j in enumerate(matrix.numeric)} | {
        j: [column[i] for i in chosen] for j, column in zip(matrix.discrete, rows.discrete, strict=True)}
    return tuple(zip(*(by_place[j] for j in range(len(pipeline.features))), strict=True))
