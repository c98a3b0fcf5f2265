"""How wrong an answer was: one number a labelled row, from what the row itself says. It is counted like a feature."""

from collections.abc import Iterable
from math import log, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drift.cells import number_cells
from drift.profile import FeatureProfile
from schemas.messages import LabelledEvent, LabelValue
from schemas.pipeline import Task

MAX_LOSS = 3.0  # of a class: log loss of a right answer that was given 5 %


class LossRow(NamedTuple):
    """A served row with its label: its offset in `labelled`, its loss, and whether the answer was wrong."""

    offset: int
    loss: float
    wrong: bool


def answer_loss(task: Task, label: LabelValue, prediction: LabelValue, score: float) -> float:
    """Absolute error; or log loss of the answer being right, at most 3, where the answer's probability is its claim.

    `score`: probability of the positive class (binary) or of the predicted one (multiclass).
    """
    if task == "regression":
        return abs(float(label) - float(prediction))
    claim = max(score, 1 - score) if task == "binary" else score
    chance = claim if label == prediction else 1 - claim
    return round(min(MAX_LOSS, -log(chance)), 6) if chance > 0 else MAX_LOSS


def served_loss(task: Task, event: LabelledEvent) -> float | None:
    """Of a labelled row, by the model that served it; None where none did (rows of `bootstrap`)."""
    if event.prediction is None or event.score is None:
        return None
    return answer_loss(task, event.label, event.prediction, event.score)


def loss_row(task: Task, offset: int, event: LabelledEvent) -> LossRow | None:
    """Of the labelled row at `offset`; None where no model served it, or its labels contradict each other."""
    loss = None if event.conflict else served_loss(task, event)
    return None if loss is None else LossRow(offset, loss, event.label != event.prediction)


def loss_unit(task: Task, reference: FeatureProfile | None) -> float:
    """What the losses are divided by where they are compared with fixed thresholds: 1 for classes, whose losses are
    capped; for regression the median of the reference's, or its maximum where that is 0. NaN without a reference."""
    if task != "regression":
        return 1.0
    if reference is None or not reference.edges:
        return nan
    ranks = np.cumsum(reference.counts[: len(reference.edges)])  # the reference's losses are never missing
    median = reference.edges[int(np.searchsorted(ranks, ranks[-1] / 2))]
    return median or reference.edges[-1] or 1.0


def count_losses(reference: FeatureProfile, losses: Iterable[float]) -> NDArray[np.int64]:
    """Rows in each cell of the reference's losses."""
    values = np.fromiter(losses, dtype=np.float64)
    return np.bincount(number_cells(reference.edges, values), minlength=len(reference.counts))
