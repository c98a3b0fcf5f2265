"""Alerts are what the reports say: one a window, of its alarm or else of a detector that may alert."""

from collections.abc import Iterator

from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Reading
from schemas.messages import DriftAlert, DriftReport, Firing, derived_id
from schemas.pipeline import LOSS, Pipeline

ALERTS = "alerts"
Window = tuple[int, str]


def check_alerts(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Each alarm has an alert and the reverse, as has each detector that may alert where there is no alarm; an id is
    what it is about. What detectors did under another pipeline file is not known to be due."""
    pipeline = reading.recording.pipeline
    reports: dict[Window, DriftReport] = {}
    for entry in reading.reports:
        reports.setdefault((entry.message.window_start, entry.message.profile), entry.message)
    alerted: dict[Window, str] = {}
    for entry in reading.alerts:
        seen.count += 1
        alert, where = entry.message, f"drift-alerts 0/{entry.record.offset}"
        window = (alert.window_start, alert.profile)
        if alerted.setdefault(window, alert.alert_id) != alert.alert_id:
            yield _difference(where, f"no alert but {alerted[window]} for window {alert.window_start}", alert.alert_id)
        yield from _identity(reading, where, alert)
        yield from _answers(where, alert, reports.get(window), pipeline)
    for window in sorted(reports.keys() - alerted.keys()):
        report = reports[window]
        firing = _due(report, pipeline)
        if report.alarm or (firing is not None and report.pipeline_digest == pipeline.digest):
            yield _difference(f"window {window}", f"an alert: {report.verdict if report.alarm else shown(firing)}",
                              "none")


def _identity(reading: Reading, where: str, alert: DriftAlert) -> Iterator[Difference]:
    about = (alert.profile, alert.kind, alert.window_start, *(("detector",) if alert.detector else ()))
    expected = derived_id(reading.recording.pipeline.name, *about)
    if alert.alert_id != expected:
        yield _difference(where, f"alert id {expected}", alert.alert_id)
    if reading.models.find(alert.model.epoch) is None:
        yield _difference(where, "an epoch of an accepted announcement", f"epoch {alert.model.epoch}")


def _answers(where: str, alert: DriftAlert, report: DriftReport | None, pipeline: Pipeline) -> Iterator[Difference]:
    if alert.detector:
        yield from _by_detector(where, alert, report, pipeline)
    elif report is None or not report.alarm:
        yield _difference(where, f"a report with an alarm for window {alert.window_start}", shown(report))
    else:
        guilty = [feature.name for feature in report.features if feature.alarm]
        wanted = (report.window_end, guilty, report.verdict, report.labelled)
        found = (alert.window_end, alert.features, alert.sentence, alert.labelled_offset)
        if wanted != found:
            yield _difference(where, shown(wanted), shown(found))


def _by_detector(where: str, alert: DriftAlert, report: DriftReport | None, pipeline: Pipeline) -> Iterator[Difference]:
    """It is of the first firing that may alert, in a window without an alarm, and says so."""
    if report is None or report.alarm:
        yield _difference(where, f"a report without an alarm for window {alert.window_start}", shown(report))
        return
    firing = next((f for f in report.firings if f.detector == alert.detector and f.rose), None)
    due = _due(report, pipeline) if report.pipeline_digest == pipeline.digest else firing
    if firing is None or firing != due:
        yield _difference(where, f"an alert of {shown(due)}", f"one of detector {alert.detector}")
        return
    wanted = (report.window_end, "concept", [LOSS], report.labelled)
    found = (alert.window_end, alert.kind, alert.features, alert.labelled_offset)
    said = (f"Detector {firing.detector} ", f" row {firing.offset} ", " outside the budget")
    if wanted != found or not all(words in alert.sentence for words in said):
        yield _difference(where, shown((*wanted, *said)), shown((*found, alert.sentence)))


def _due(report: DriftReport, pipeline: Pipeline) -> Firing | None:
    allowed = pipeline.drift.alerting_detectors
    return None if report.alarm else next((f for f in report.firings if f.rose and f.detector in allowed), None)


def _difference(where: str, expected: str, found: str) -> Difference:
    return Difference(check=ALERTS, where=where, expected=expected, found=found)
