"""How far a label-based detector can be trusted: its false alarms where nothing changes, on this file.

Where the changes are documented, the rows scored before the first of them are steady. Elsewhere all rows are, once
their order is drawn at random: without the dependence between them there are fewer alarms than in the stream itself.
"""

from collections import Counter
from collections.abc import Sequence
from math import isfinite

import numpy as np

from automl_stream.backtest.result import Detector, DetectorFiring
from automl_stream.backtest.truth import Truth
from drift.detectors.detector_set import detector_set
from drift.detectors.false_alarms import measure_false_alarms
from drift.losses import LossRow
from schemas.pipeline import Pipeline

STEADY = "rows before the first documented change"
PERMUTED = "all rows in random order, which understates it"
NOTHING = "nothing: no row has a usable loss"

Watched = Sequence[tuple[int, LossRow]]  # by row of the file: what the detectors took


def measured(pipeline: Pipeline, watched: Watched, firings: Sequence[DetectorFiring],
             truth: Truth | None) -> list[Detector]:
    """Each detector of the pipeline, with what it did and how often it is wrong."""
    drift, fired = pipeline.drift, Counter(firing.detector for firing in firings)
    measured_on, steady = _steady(watched, truth, pipeline.retraining.seed)
    wrong = {each.detector: each for each in measure_false_alarms(detector_set(pipeline), steady)} if steady else {}
    return [Detector(
        detector=name, alerting=name in drift.alerting_detectors, firings=fired[name], measured_on=measured_on,
        steady_rows=len(steady), false_alarm_rate=wrong[name].rate if steady else None,
        upper_bound=wrong[name].upper_bound if steady else None) for name in drift.detectors]


def _steady(watched: Watched, truth: Truth | None, seed: int) -> tuple[str, list[LossRow]]:
    """What is known not to drift, in words and in rows."""
    usable = [(row, loss) for row, loss in watched if isfinite(loss.loss)]
    if not usable:
        return NOTHING, []
    if truth is None:
        order = np.random.default_rng(seed).permutation(len(usable))
        return PERMUTED, [usable[index][1] for index in order]
    first = min(row for row, _ in usable)
    change = min((row for row in truth.documented if row > first), default=None)
    return STEADY, [loss for row, loss in usable if change is None or row < change]
