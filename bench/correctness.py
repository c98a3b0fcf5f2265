"""Before its speed is believed, a contender's predictions are counted and compared with the model's own answers."""

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.lab import BenchPipeline, Lab
from bench.workload import numbers_of
from trainer.onnx_export import run as answers_of

TOLERANCE = 1e-5


class Unsound(Exception):
    """A contender lost, repeated or altered predictions, or its process ended: it has no speed."""


class _Scored(Struct):
    event_id: str
    score: float


_decode = msgspec.json.Decoder(_Scored).decode


def scores_of(lab: Lab, pipeline: BenchPipeline, count: int, padding: int) -> NDArray[np.float64]:
    """The model's answer to each of `count` events of seed 0."""
    return lab.remembered(("scores", pipeline.features, count), lambda: _scores(lab, pipeline, count, padding))


def _scores(lab: Lab, pipeline: BenchPipeline, count: int, padding: int) -> NDArray[np.float64]:
    events = lab.events(pipeline.features, count, padding=padding)
    return answers_of(lab.model(pipeline).onnx, numbers_of(events, pipeline.features))[:, 1]


def check(predictions: list[bytes], expected: NDArray[np.float64], warm_up: int) -> None:
    """Every event has exactly one prediction, and its score is the model's; event ids as in `workload.events`.

    Raises:
        Unsound: saying what is wrong.
    """
    found = np.full(len(expected), np.nan)
    for prediction in predictions:
        scored = _decode(prediction)
        seed, _, number = scored.event_id.partition("-")
        if seed == "0":
            found[int(number)] = scored.score
    if len(predictions) != warm_up + len(expected) or np.isnan(found).any():
        raise Unsound(f"{len(predictions)} predictions for {warm_up + len(expected)} events; "
                      f"{int(np.isnan(found).sum())} events have none")
    difference = float(np.abs(found - expected).max())
    if difference > TOLERANCE:
        raise Unsound(f"a score differs from the model's by {difference:.1e}")
