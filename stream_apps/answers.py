"""What the models in charge say of a chunk's rows: whole columns of answers. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drift.predictions import said
from schemas.codec import FeatureMatrix
from schemas.messages import LabelValue, Model
from stream_apps.model_slot import LoadedModel, Slots

Numbers = NDArray[np.float64]
Discrete = list[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A column of each, with an entry a row; the probabilities of a regression are None.

    `cells`: where the prediction is counted, among the cells that `Slots.layout` adds to those of the features.
    """

    models: Iterable[Model]
    labels: list[LabelValue]
    scores: list[float]
    probabilities: Iterable[list[float] | None]
    cells: NDArray[np.int32]


_NOTHING = Answers(models=(), labels=[], scores=[], probabilities=(), cells=np.empty(0, dtype=np.int32))


def answer(keys: Sequence[bytes | None], numbers: Numbers, discrete: Discrete, slots: Slots,
           matrix: FeatureMatrix) -> tuple[Answers, dict[int, str]]:
    """Answers of each row's model; and rows that theirs cannot answer, with the reason: then there are no answers.

    `numbers` is (rows, number features), `discrete` a column of `rows` values for each other feature.
    """
    if slots.canary is None or not keys:
        return _ask(slots.champion, 0, numbers, discrete, matrix)
    chosen = slots.canary_rows(keys)
    first = slots.champion.prediction_cells
    while (canary := _ask(slots.canary, first, *_rows(numbers, discrete, chosen), matrix))[1]:
        chosen[np.flatnonzero(chosen)[list(canary[1])]] = False  # what a canary cannot answer is the champion's
    champion, unanswered = _ask(slots.champion, 0, *_rows(numbers, discrete, ~chosen), matrix)
    mine = np.flatnonzero(~chosen).tolist()
    return _merged([(mine, champion), (np.flatnonzero(chosen).tolist(), canary[0])]), {
        mine[row]: reason for row, reason in unanswered.items()}


def _ask(model: LoadedModel, first: int, numbers: Numbers, discrete: Discrete,
         matrix: FeatureMatrix) -> tuple[Answers, dict[int, str]]:
    if not len(numbers):
        return _NOTHING, {}
    outputs = model.run(matrix.join(numbers, discrete, model.codes))
    finite = np.isfinite(outputs)
    if not finite.all():
        reason = f"model {model.model.version} gives an answer that is not a finite number"
        return _NOTHING, dict.fromkeys(np.unique(np.argwhere(~finite)[:, 0]).tolist(), reason)
    labels, scores, probabilities = said(model.metadata, outputs)
    if model.predictions is None:
        cells = np.zeros(len(labels), dtype=np.int32)
    else:
        cells = model.predictions.cells(labels, scores) + np.int32(1 + first)
    return Answers(models=repeat(model.model), labels=labels, scores=scores.tolist(), cells=cells,
                   probabilities=repeat(None) if probabilities is None else probabilities.tolist()), {}


def _rows(numbers: Numbers, discrete: Discrete, wanted: NDArray[np.bool_]) -> tuple[Numbers, Discrete]:
    return numbers[wanted], [tuple(compress(column, wanted)) for column in discrete]


def _merged(parts: list[tuple[list[int], Answers]]) -> Answers:
    """Answers of several models, in the order of the rows."""
    rows = sorted(
        (place, *told) for places, answers in parts
        for place, *told in zip(places, answers.models, answers.labels, answers.scores, answers.probabilities,
                                answers.cells.tolist(), strict=False))
    columns = list(zip(*rows, strict=True))[1:] or [(), (), (), (), ()]
    return Answers(models=columns[0], labels=list(columns[1]), scores=list(columns[2]), probabilities=columns[3],
                   cells=np.array(columns[4], dtype=np.int32))
