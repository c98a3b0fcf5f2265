"""How good answers to labelled rows were: the figures of scikit-learn, from what the rows say by themselves. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.messages import LabelValue, Quality
from schemas.pipeline import Task

Floats = NDArray[np.float64]

CLIP = 1e-15
_DIGITS = 6  # the last bits of a sum depend on the machine


class ServedRow(NamedTuple):
    """An answer and what was true. `score`: as in Prediction; `chances`: probability of each of `classes`, those that
    its model knows, where their order is known; `before`: the label before it in the log."""

    label: LabelValue
    prediction: LabelValue
    score: float
    chances: Sequence[float] | None
    classes: Sequence[str]
    before: LabelValue | None


def figures(task: Task, rows: Sequence[ServedRow], **which: str | None) -> Quality:
    """The figures of at least one row; `which` names them: version, feature, value."""
    if task == "regression":
        found = _of_values(rows)
    else:
        found = _of_answers(rows) | (_of_two(rows) if task == "binary" else _of_many(rows))
    rounded: dict[str, Any] = {
        name: None if value is None else round(float(value), _DIGITS) for name, value in found.items()}
    return Quality(rows=len(rows), **which, **rounded)


def _of_values(rows: Sequence[ServedRow]) -> dict[str, Any]:
    labels = np.array([row.label for row in rows], dtype=np.float64)
    errors = labels - np.array([row.prediction for row in rows], dtype=np.float64)
    steps = [abs(float(row.label) - float(row.before)) for row in rows if row.before is not None]
    return {"mae": np.abs(errors).mean(), "rmse": np.sqrt((errors**2).mean()),
            "no_change_mae": np.mean(steps) if steps else None}


def _of_answers(rows: Sequence[ServedRow]) -> dict[str, Any]:
    """Kappa-temporal: (p - q) / (1 - q) with the accuracies p and q of the model and of no change on the same rows
    (Zliobaite et al. 2015, Machine Learning 98)."""
    right = np.array([row.label == row.prediction for row in rows])
    compared = [k for k, row in enumerate(rows) if row.before is not None]
    if not compared:
        return {"accuracy": right.mean()}
    still = np.mean([rows[k].label == rows[k].before for k in compared])
    kappa = None if still == 1 else (right[compared].mean() - still) / (1 - still)
    return {"accuracy": right.mean(), "no_change_accuracy": still, "kappa_temporal": kappa}


def _of_two(rows: Sequence[ServedRow]) -> dict[str, Any]:
    """The answer is the positive class where its probability is above one half."""
    score = np.array([row.score for row in rows])
    right = np.array([row.label == row.prediction for row in rows])
    positive = right == (score > 1 / 2)
    chance = np.where(positive, score, 1 - score)
    return {"log_loss": -np.log(np.clip(chance, CLIP, 1)).mean(), "brier": ((score - positive) ** 2).mean(),
            "auc": area_under_curve(positive, score)}


def area_under_curve(positive: NDArray[np.bool_], score: Floats) -> float | None:
    """Area under the ROC curve, by the mean ranks of the positive rows; None where all rows are of one class.

    >>> area_under_curve(np.array([False, True, False, True]), np.array([0.1, 0.4, 0.4, 0.8]))
    0.875
    """
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return None
    _, place, ties = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _of_many(rows: Sequence[ServedRow]) -> dict[str, Any]:
    """Brier: squared distance of the probabilities to the truth, over all classes. Both are null where the order of
    some model's classes is not known; a class that a model does not know had no chance."""
    chances: list[float] = []
    distances: list[float] = []
    for row in rows:
        if row.chances is None:
            return {}
        known = dict(zip(row.classes, row.chances, strict=True))
        chance = known.get(str(row.label), 0.0)
        chances.append(chance)
        distances.append(sum(p * p for p in known.values()) - chance**2 + (1 - chance) ** 2)
    return {"log_loss": -np.log(np.clip(chances, CLIP, 1)).mean(), "brier": np.mean(distances)}
