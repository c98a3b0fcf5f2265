"""A backtest whose models are kept, so that each promotion can be judged by what nobody in the loop knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_stream.backtest.replay import Plan, backtest
from automl_stream.backtest.result import Result, Swap
from bench.policies.segments import Drawn
from producers.rows import Row
from schemas.codec import FeatureMatrix
from schemas.pipeline import Pipeline
from trainer.onnx_export import read_metadata, run


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A model put in charge: its accuracy on clean rows, and by segment beside that of the model that it replaced."""

    swap: Swap
    accuracy: float
    before: float
    loses: float  # accuracy, on the segment that loses most; negative where all gain
    on: str


def served(rows: Sequence[Row], pipeline: Pipeline, plan: Plan) -> tuple[Result, list[tuple[Swap, bytes]]]:
    """The backtest's result, and every model that was put in charge, the first among them."""
    models: list[tuple[Swap, bytes]] = []
    result = backtest(iter(rows), pipeline, plan, lambda _: None, on_swap=lambda *model: models.append(model))
    return result, models


def promotions(models: Sequence[tuple[Swap, bytes]], clean: Drawn) -> list[Promotion]:
    """Each model after the first against the one that it replaced, on clean rows."""
    found: list[Promotion] = []
    before = by_segment(models[0][1], clean)
    for swap, onnx in models[1:]:
        after = by_segment(onnx, clean)
        worst = max(after, key=lambda name: before[name] - after[name])
        found.append(Promotion(swap=swap, accuracy=_mean(after), before=_mean(before), on=worst,
                               loses=before[worst] - after[worst]))
        before = after
    return found


def by_segment(onnx: bytes, clean: Drawn) -> dict[str, float]:
    """Accuracy of a model on the clean rows of each segment."""
    right = answers(onnx, clean) == np.where(clean.labels, "yes", "no")
    return {str(name): float(right[clean.segments == name].mean()) for name in np.unique(clean.segments)}


def accuracy(onnx: bytes, clean: Drawn) -> float:
    """Accuracy of a model on clean rows."""
    return float((answers(onnx, clean) == np.where(clean.labels, "yes", "no")).mean())


def answers(onnx: bytes, rows: Drawn) -> NDArray[np.str_]:
    """What a model says to each row."""
    metadata = read_metadata(onnx)
    columns = rows.columns
    vectors = list(zip(*(columns[feature.name] for feature in metadata.features), strict=True))
    matrix = FeatureMatrix(metadata.features)
    numbers, discrete = matrix.split(vectors)
    outputs = run(onnx, matrix.join(numbers, discrete, metadata.codes()))
    return np.array(metadata.classes)[outputs.argmax(axis=1)]


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))
