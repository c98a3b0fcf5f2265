"""The reference of a model's predictions: its own file's answers, to rows that it was not fitted on."""

from collections.abc import Callable

import numpy as np
import pytest

from drift.predictions import PredictionCounter, decode_predictions, said
from schemas.messages import LabelledEvent, Recipe
from schemas.pipeline import Pipeline, Task
from trainer.candidates import FittedExpert, fit
from trainer.first_model import choose
from trainer.history import History, Rows, TrainingRows
from trainer.onnx_export import export, run
from trainer.reference import prediction_reference

Make = Callable[..., Pipeline]
Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]

FITTED, ROWS = 300, 420


def fitted(pipeline: Pipeline, stream: Stream, family: str) -> tuple[FittedExpert, Rows]:
    """An expert, and the rows that came after its fit."""
    history = history_of(pipeline, stream)
    data = history.dataset(0, FITTED - 1)
    recipe = Recipe(family=family, window="all", dataset=data.dataset, seed=0)
    return fit(pipeline, recipe, data), history.fresh(FITTED, ROWS - 1)


def history_of(pipeline: Pipeline, stream: Stream) -> History:
    history = History(pipeline)
    for offset, event in enumerate(stream(pipeline, 0, ROWS)):
        history.append(offset, event)
    return history


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", ["logistic", "lightgbm"])
def test_each_answer_of_the_file_lies_in_the_cell_in_which_the_reference_counted_it(
        make_pipeline: Make, stream: Stream, task: Task, family: str) -> None:
    """However the rows are cut into chunks: scores that many rows share must not fall beside an edge."""
    expert, rows = fitted(make_pipeline(task), stream, family)
    onnx = export(expert)
    data = prediction_reference(make_pipeline(task), onnx, rows)
    assert data is not None
    reference = decode_predictions(data, task)
    counter, counts = PredictionCounter(reference, task), np.zeros(reference.size, dtype=np.int64)
    for first in range(0, len(rows), 32):
        labels, scores, _ = said(expert.metadata, run(onnx, expert.matrix(rows.part(first, first + 32))))
        counts += np.bincount(counter.cells(labels, scores), minlength=reference.size)
    assert tuple(counts) == reference.features[0].counts
    assert reference.features[0].calibrated


def test_two_trainers_make_the_same_bytes_and_rows_out_of_order_change_nothing(
        make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    (one, rows), (other, _) = (fitted(pipeline, stream, "lightgbm") for _ in range(2))
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = Rows(ts=rows.ts[order], numbers=rows.numbers[order], labels=[rows.labels[i] for i in order],
                    discrete=[tuple(column[i] for i in order) for column in rows.discrete])
    assert prediction_reference(pipeline, export(one), rows) == prediction_reference(
        pipeline, export(other), shuffled)


def test_without_rows_there_is_none_and_one_that_is_given_is_kept(make_pipeline: Make, stream: Stream) -> None:
    expert, rows = fitted(make_pipeline(), stream, "logistic")
    assert prediction_reference(make_pipeline(), export(expert), rows.part(0, 0)) is None
    assert prediction_reference(make_pipeline(), export(expert), b"given") == b"given"


def test_what_the_trial_of_the_first_model_said_is_shown_and_silent(make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    data: TrainingRows = history_of(pipeline, stream).dataset(0, FITTED - 1)
    found = choose(pipeline, data).predictions
    assert found is not None
    (feature,) = decode_predictions(found, "binary").features
    assert feature.rows == FITTED // 5
    assert "a trial" in (feature.uncalibrated or "")
