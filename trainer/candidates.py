"""Fitting one recipe, and what the fitted expert answers."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from schemas.codec import FeatureMatrix
from schemas.messages import LabelValue
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from trainer.errors import UnusableRows
from trainer.families import categorical_columns, estimator
from trainer.gate import MAX_LOSS
from trainer.history import Rows, TrainingRows
from trainer.thresholds import round_thresholds

UNSEEN = 1e-3  # probability of each class that the log has shown but the fitted rows have not
MAX_CATEGORIES = 100


class FittedExpert:
    """A fitted model behind one interface, whatever its family and whichever classes its rows had."""

    def __init__(self, model: Any, metadata: ModelMetadata, known: Sequence[int]) -> None:
        self.model = model
        self.metadata = metadata
        self.known = tuple(known)  # places in metadata.classes of the classes that the model was fitted on
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
        with warnings.catch_warnings():  # LightGBM names its columns, we pass arrays
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            if self.metadata.task == "regression":
                return np.asarray(self.model.predict(matrix), dtype=np.float64)
            answers = np.asarray(self.model.predict_proba(matrix), dtype=np.float64)
        unseen = len(self.metadata.classes) - len(self.known)
        probabilities = np.full((len(matrix), len(self.metadata.classes)), UNSEEN)
        probabilities[:, self.known] = answers * (1 - unseen * UNSEEN)
        return probabilities

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


def fit(pipeline: Pipeline, family: str, data: TrainingRows) -> FittedExpert:
    """Fit a family on a dataset; the same rows give the same model.

    Raises:
        UnusableRows: without rows, or when all have one class.
    """
    if not len(data.rows):
        raise UnusableRows("the dataset has no rows")
    metadata = ModelMetadata(task=pipeline.task, features=pipeline.features,
                             categories=_categories(pipeline, data.rows), classes=data.classes)
    labels, known = _targets(metadata, data.rows.labels)
    expert = FittedExpert(estimator(family, metadata, pipeline.retraining.seed), metadata, known)
    options = {"categorical_feature": categorical_columns(metadata)} if family == "lightgbm" else {}
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # convergence is judged by the loss on fresh rows
        expert.model.fit(expert.matrix(data.rows), labels, **options)
    if family == "lightgbm":
        round_thresholds(expert.model)
    return expert


def _targets(metadata: ModelMetadata, labels: Sequence[LabelValue]) -> tuple[NDArray[Any], list[int]]:
    """Numbers to fit: values, or the place of each class among those that the rows have; and their places overall."""
    if metadata.task == "regression":
        return np.array(labels, dtype=np.float64), []
    present = set(labels)
    known = [k for k, label in enumerate(metadata.classes) if label in present]
    if len(known) == 1:
        raise UnusableRows(f"all {len(labels)} rows have the class {labels[0]!r}; at least two classes are needed")
    place = {metadata.classes[k]: i for i, k in enumerate(known)}
    return np.array([place[str(label)] for label in labels]), known


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
