"""Detectors fire where the rows of `labelled` make them: the losses of each profile, fed again in offset order."""

from bisect import bisect_left
from collections.abc import Iterator

from automl_stream.verify.artifacts import BadArtifact, Shelf
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Reading
from drift.detectors.detector_set import DetectorSet, detector_set
from drift.losses import LossRow, loss_row, loss_unit
from drift.profile import ReferenceProfile
from schemas.messages import DriftReport, Firing
from schemas.topics import MODEL_ARTIFACTS

FIRINGS = "firings"


def check_firings(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """A report's firings are those of the rows since the report before it. Reports of another pipeline file, and of a
    profile that is gone, are not judged."""
    heard, unjudged = _Heard(reading), 0
    first: set[tuple[int, str]] = set()
    for entry in reading.reports:
        report = entry.message
        window = (report.window_start, report.profile)
        if window in first:
            continue
        first.add(window)
        expected = heard.until(report)
        if expected is None or report.pipeline_digest != reading.recording.pipeline.digest:
            unjudged += 1
            continue
        seen.count += 1
        if expected != report.firings:
            yield Difference(check=FIRINGS, where=f"drift-stats 0/{entry.record.offset}", expected=shown(expected),
                             found=shown(report.firings))
    if unjudged:
        seen.notes.append(f"{unjudged} reports are of another pipeline file, or their profile is gone")


class _Heard:
    """What the detectors hear, report after report; with each profile they begin anew."""

    def __init__(self, reading: Reading) -> None:
        pipeline, models = reading.recording.pipeline, reading.models
        self._pipeline = pipeline
        self._announced = {a.announcement.profile.digest: a for a in models.accepted}
        self._shelf = Shelf.of(reading.recording.log(MODEL_ARTIFACTS))
        served = {a.epoch: a.announcement.profile.digest for a in (*models.accepted, *models.canaries)}
        self._rows: list[tuple[LossRow, str]] = []
        for entry in reading.labelled:
            row, model = loss_row(pipeline.task, entry.record.offset, entry.message), entry.message.model
            if row is not None and model is not None:
                self._rows.append((row, served.get(model.epoch, "")))
        self._offsets = [row.offset for row, _ in self._rows]
        self._end = 0
        self._profile = ""
        self._detectors = DetectorSet([])
        self._unit: float | None = None

    def until(self, report: DriftReport) -> list[Firing] | None:
        """What fires at the rows of the report; None where they cannot be heard."""
        if report.profile != self._profile:
            self._profile, self._unit = report.profile, self._unit_of(report.profile)
            self._detectors = detector_set(self._pipeline)
        begin, self._end = self._end, report.labelled
        if self._unit is None:
            return None
        new = self._rows[bisect_left(self._offsets, begin):bisect_left(self._offsets, self._end)]
        return [firing for row, profile in new if profile == report.profile
                for firing in self._detectors.update(row._replace(loss=row.loss / self._unit))]

    def _unit_of(self, profile: str) -> float | None:
        if self._pipeline.task != "regression" or not self._pipeline.drift.detectors:
            return loss_unit(self._pipeline.task, None)
        accepted = self._announced.get(profile)
        if accepted is None:
            return None
        try:
            data = self._shelf.bytes_of(accepted.announcement.profile)
        except BadArtifact:
            return None
        return loss_unit("regression", ReferenceProfile.decode(data).loss)
