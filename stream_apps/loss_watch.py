"""What labelled rows say under one reference profile: counts for the window, firings of the detectors. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drift.detectors.detector_set import detector_set
from drift.losses import LossRow, count_losses, loss_unit
from drift.profile import ReferenceProfile
from schemas.messages import DriftAlert, DriftReport, Firing, Model, derived_id
from schemas.pipeline import LOSS, Pipeline
from stream_apps.closing import ClosedWindow

OUTSIDE = "outside the budget"


@dataclass(kw_only=True)
class LossWatch:
    """Takes the rows that models served under the profile, each once and in offset order: one series whatever model
    answered. Another profile says anew what is normal, and needs a new watch (docs/decisions/0013)."""

    pipeline: Pipeline
    profile: ReferenceProfile

    def __post_init__(self) -> None:
        self._detectors = detector_set(self.pipeline)
        self._unit = loss_unit(self.pipeline.task, self.profile.loss)

    def in_units(self, row: LossRow) -> LossRow:
        """The row as the detectors take it."""
        return row._replace(loss=row.loss / self._unit)

    def see(self, row: LossRow) -> list[Firing]:
        """Take the next row; what fired at it."""
        return self._detectors.update(self.in_units(row))

    def count(self, window: ClosedWindow, rows: Sequence[LossRow]) -> ClosedWindow:
        """Take the next rows, and give the window what they say."""
        return self.given(window, rows, [firing for row in rows for firing in self.see(row)])

    def given(self, window: ClosedWindow, rows: Sequence[LossRow], firings: Sequence[Firing]) -> ClosedWindow:
        """Give the window what rows say that were taken one by one."""
        losses = None if self.profile.loss is None else count_losses(self.profile.loss, [row.loss for row in rows])
        return replace(window, losses=losses, firings=tuple(firings))


def alerting_firing(pipeline: Pipeline, report: DriftReport) -> Firing | None:
    """The first at which a detector may alert by itself: where the loss rose, and the window has no alarm."""
    allowed = pipeline.drift.alerting_detectors
    return next((f for f in report.firings if f.rose and f.detector in allowed and not report.alarm), None)


def detector_alert(pipeline: Pipeline, report: DriftReport, firing: Firing, model: Model) -> DriftAlert:
    """The alert of a window without an alarm in which a detector fired that may alert."""
    sentence = (f"Detector {firing.detector} fired at row {firing.offset} of labelled: the loss rose. It alerts by "
                "itself, outside the budget.")
    return DriftAlert(
        alert_id=derived_id(pipeline.name, report.profile, "concept", report.window_start, "detector"), kind="concept",
        window_start=report.window_start, window_end=report.window_end, scale=1, onset=report.window_start,
        features=[LOSS], sentence=sentence, budget=OUTSIDE, profile=report.profile, model=model,
        labelled_offset=report.labelled, detector=firing.detector,
    )
