"""What others do with the same rows: retrain on a schedule, retrain when ADWIN says so, an adaptive forest, nothing.

The first two refit our own LightGBM, so that only *when* and *on what* differ. All are fitted on the first part first.
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from river.drift import ADWIN
from river.forest import ARFClassifier, ARFRegressor

from bench.policies.prequential import Stream
from drift.losses import MAX_LOSS
from schemas.messages import LabelledEvent, LabelValue, Recipe
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert, fit
from trainer.errors import UnusableRows
from trainer.first_model import choose
from trainer.history import History, TrainingRows

FAMILY = "lightgbm"


class Trigger(Protocol):
    """When to retrain."""

    def fires(self, error: float | None) -> bool:
        """One more label; the deployed model's error on it, 0 to 1, None where the model before it had answered."""
        ...


class Schedule:
    """Every `period` labels."""

    def __init__(self, period: int) -> None:
        self._period = period
        self._labels = 0

    def fires(self, error: float | None) -> bool:  # noqa: ARG002
        self._labels += 1
        return self._labels % self._period == 0


class Adwin:
    """When river's ADWIN, at its defaults, finds that the deployed model's errors changed; it begins anew then."""

    def __init__(self) -> None:
        self._detector = ADWIN()

    def fires(self, error: float | None) -> bool:
        if error is None:
            return False
        self._detector.update(error)
        fired = bool(self._detector.drift_detected)
        if fired:
            self._detector = ADWIN()
        return fired


def _fit(pipeline: Pipeline, data: TrainingRows) -> FittedExpert:
    return fit(pipeline, Recipe(family=FAMILY, window="all", dataset=data.dataset, seed=0), data)


class Refitted:
    """Our LightGBM, refitted on the newest `window` labels (None: all) when the trigger fires."""

    def __init__(self, stream: Stream, trigger: Trigger, window: int | None) -> None:
        self.retrainings = 0
        self.seconds = 0.0
        self._stream = stream
        self._trigger = trigger
        self._window = window
        self._history = History(stream.pipeline)
        for row in range(stream.first):
            self._history.append(row, stream.events[row])
        data = self._history.dataset(0, stream.first - 1)
        self._scale = choose(stream.pipeline, data).loss_scale if stream.pipeline.task == "regression" else 1.0
        self._expert = _fit(stream.pipeline, data)
        self._deployed: int | None = stream.first  # the first row that it answers; None: not asked yet

    def answer(self, first: int, last: int) -> Sequence[LabelValue]:
        if self._deployed is None:
            self._deployed = first
        outputs = self._expert.predict(self._history.rows_of(self._stream.events[first:last]))
        if self._stream.pipeline.task == "regression":
            return outputs.tolist()
        return [self._expert.metadata.classes[k] for k in outputs.argmax(axis=1)]

    def hear(self, row: int, answered: LabelValue) -> bool:
        event = self._stream.events[row]
        self._history.append(row, event)
        own = self._deployed is not None and row >= self._deployed
        return self._trigger.fires(self._error(answered, event) if own else None) and self._refit(row)

    def _refit(self, last: int) -> bool:
        first = None if self._window is None else self._history.first_of_newest(self._window, last)
        data = self._history.dataset(first or 0, last)
        began = time.perf_counter()
        try:
            self._expert = _fit(self._stream.pipeline, data)
        except UnusableRows:  # one class alone: the model stays
            return False
        finally:
            self.seconds += time.perf_counter() - began
        self.retrainings += 1
        self._deployed = None
        return True

    def _error(self, answered: LabelValue, event: LabelledEvent) -> float:
        """Whether it was wrong; or the absolute error over what was normal at first, at most 3, as a share of 3."""
        if self._stream.pipeline.task == "regression":
            return min(abs(float(answered) - float(event.label)) / self._scale, MAX_LOSS) / MAX_LOSS
        return float(answered != event.label)


class Forest:
    """River's adaptive random forest at its defaults, seed 0; learns from every label as it comes."""

    def __init__(self, stream: Stream) -> None:
        self.retrainings = 0
        self.seconds = 0.0
        self._stream = stream
        self._names = [feature.name for feature in stream.pipeline.features]
        self._regression = stream.pipeline.task == "regression"
        self._forest: Any = ARFRegressor(seed=0) if self._regression else ARFClassifier(seed=0)
        for row in range(stream.first):
            self._learn(row)

    def answer(self, first: int, last: int) -> Sequence[LabelValue]:  # noqa: ARG002
        answer = self._forest.predict_one(self._inputs(first))
        return [float(answer) if self._regression else str(answer)]

    def hear(self, row: int, answered: LabelValue) -> bool:  # noqa: ARG002
        self._learn(row)
        return True

    def _learn(self, row: int) -> None:
        began = time.perf_counter()
        self._forest.learn_one(self._inputs(row), self._stream.events[row].label)
        self.seconds += time.perf_counter() - began

    def _inputs(self, row: int) -> dict[str, Any]:
        return dict(zip(self._names, self._stream.events[row].features, strict=True))


class NoChange:
    """Repeats the last label that it has heard."""

    def __init__(self, stream: Stream) -> None:
        self.retrainings = 0
        self.seconds = 0.0
        self._stream = stream
        self._last = stream.events[stream.first - 1].label

    def answer(self, first: int, last: int) -> Sequence[LabelValue]:
        return [self._last] * (last - first)

    def hear(self, row: int, answered: LabelValue) -> bool:  # noqa: ARG002
        before, self._last = self._last, self._stream.events[row].label
        return before != self._last
