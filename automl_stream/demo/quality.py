"""How good answers were: one set of figures for the live loop and for the frozen first model. Pure."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from schemas.messages import LabelValue, Prediction
from schemas.pipeline import Task

CLIP = 1e-15


class Quality(Struct, frozen=True, kw_only=True):
    """Accuracy, log loss and, for two classes, average precision (area under the precision-recall curve); or mae."""

    accuracy: float | None = None
    log_loss: float | None = None
    average_precision: float | None = None
    mae: float | None = None


class Answers(Struct, frozen=True, kw_only=True):
    """Answers to the same rows, in order: `labels` as predicted, `probabilities` (rows, classes) in `classes` order."""

    labels: Sequence[LabelValue]
    probabilities: NDArray[np.float64] | None


def live_answers(predictions: Sequence[Prediction], classes: Sequence[str],
                 known: Sequence[Sequence[str]]) -> Answers:
    """What the loop answered; `known`: classes of the model that made each prediction, in its order."""
    labels = [p.prediction for p in predictions]
    if not classes:
        return Answers(labels=labels, probabilities=None)
    column = {name: k for k, name in enumerate(classes)}
    table = np.zeros((len(predictions), len(classes)))
    for row, (p, names) in enumerate(zip(predictions, known, strict=True)):
        table[row, [column[name] for name in names]] = p.probabilities
    return Answers(labels=labels, probabilities=table)


def judge(task: Task, truth: Sequence[LabelValue], answers: Answers, classes: Sequence[str]) -> Quality:
    """Figures of `answers` against `truth`."""
    if not truth:
        return Quality()
    if task == "regression":
        errors = np.abs(np.array(truth, dtype=float) - np.array(answers.labels, dtype=float))
        return Quality(mae=float(errors.mean()))
    right = float(np.mean([a == t for a, t in zip(answers.labels, truth, strict=True)]))
    if answers.probabilities is None:
        return Quality(accuracy=right)
    column = {name: k for k, name in enumerate(classes)}
    of_truth = answers.probabilities[np.arange(len(truth)), [column[str(t)] for t in truth]]
    loss = float(-np.log(np.clip(of_truth, CLIP, 1)).mean())
    precision = None
    if task == "binary":
        positive = np.array([t == classes[1] for t in truth])
        precision = average_precision(positive, answers.probabilities[:, 1])
    return Quality(accuracy=right, log_loss=loss, average_precision=precision)


def average_precision(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> float | None:
    """Sum of precision times gain in recall over the thresholds, ties taken together; None without positives.

    Source: scikit-learn's definition, AP = sum over n of (R_n - R_{n-1}) P_n.
    """
    if not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits, taken = hits[last_of_tie], np.flatnonzero(last_of_tie) + 1
    recall = hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * hits / taken))
