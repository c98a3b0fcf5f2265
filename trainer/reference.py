"""What is normal: the reference profile of training rows, and the reference of what a model says of fresh ones."""

import numpy as np
from numpy.typing import NDArray

from drift.predictions import prediction_profile, said
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from schemas.codec import FeatureMatrix
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from trainer.history import Rows
from trainer.onnx_export import read_metadata, run


def reference_profile(pipeline: Pipeline, rows: Rows, losses: NDArray[np.float64] | None = None) -> ReferenceProfile:
    """Profile of `rows`, in the order of event time, with the definition's features in their order.

    `losses`: of rows that were held out of the fit, in the order of time; else those of the models that served `rows`.
    """
    order = np.argsort(rows.ts, kind="stable")
    numbers = iter(np.ascontiguousarray(rows.numbers[order].T))
    discrete = (tuple(column[i] for i in order) for column in rows.discrete)
    columns = [
        FeatureColumn(name=feature.name, kind=feature.type,
                      values=next(numbers) if feature.type == "number" else next(discrete))
        for feature in pipeline.features
    ]
    if losses is None and rows.losses is not None:
        losses = rows.losses[order]
    known = None if losses is None else losses[np.isfinite(losses)]
    return build_profile(columns, longest_cycle=_cycle_rows(pipeline, rows), losses=known)


def prediction_reference(pipeline: Pipeline, onnx: bytes, answered: Rows | bytes | None) -> bytes | None:
    """Reference of what the ONNX file says of the rows `answered`, which came after its fit; None without rows.

    The file is asked and not the fitted model: their answers differ in the last digits, and a score that many rows
    share would be counted on the other side of an edge. A reference that was made before is given back.
    """
    if not isinstance(answered, Rows):
        return answered
    if not len(answered):
        return None
    metadata = read_metadata(onnx)
    matrix = FeatureMatrix(metadata.features).join(answered.numbers, answered.discrete, metadata.codes())
    return reference_of_answers(pipeline, metadata, answered, run(onnx, matrix))


def reference_of_answers(pipeline: Pipeline, metadata: ModelMetadata, rows: Rows, outputs: NDArray[np.float64],
                         uncalibrated: str | None = None) -> bytes:
    """Reference of a model's `outputs` for `rows`; `uncalibrated`: why it must not alarm."""
    order = np.argsort(rows.ts, kind="stable")
    labels, scores, _ = said(metadata, outputs[order])
    return prediction_profile(pipeline.task, labels, scores, longest_cycle=_cycle_rows(pipeline, rows),
                              uncalibrated=uncalibrated).encode()


def _cycle_rows(pipeline: Pipeline, rows: Rows) -> int | None:
    """The longest cycle, in rows: event time turned into rows at the rows' own rate."""
    cycle = pipeline.drift.longest_cycle
    if cycle is None:
        return None
    span = int(rows.ts.max() - rows.ts.min()) or 1
    return max(1, round(len(rows) * cycle / span))
