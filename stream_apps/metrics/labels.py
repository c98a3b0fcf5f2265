"""What the label service shows of itself."""

from math import nan
from typing import get_args

from stream_apps.label_states import State
from stream_apps.metrics.database import DatabaseMetrics
from stream_apps.metrics.reading import ReadingMetrics
from telemetry.metrics import ServiceMetrics


class LabelMetrics(ServiceMetrics):
    """A label that is read again after a crash counts again."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = ReadingMetrics(self)
        self.database = DatabaseMetrics(self)
        self.states = self.counter("labels", "Labels by what they were beside those of their event.",
                                   state=get_args(State))
        self.refused = self.counter("labels_refused", "Labels that cannot be used.",
                                    reason=("empty", "malformed", "invalid", "storage"))
        self.emitted = self.counter("labelled", "Labelled events written to the training log.")
        self.implicit = self.counter("labels_implicit", "Events whose silence became their label.")
        self.expired = self.counter("labels_expired", "Labels whose event had no prediction in time.")
        self.waiting = self.gauge("labels_waiting", "Labels that are neither in the training log nor expired.")
        self.coverage = self.gauge("label_coverage_ratio",
                                   "Share with a label of the predictions that are older than the label horizon.")
        self.coverage.set(nan)
