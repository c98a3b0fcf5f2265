"""Results made by hand."""

from collections.abc import Sequence

from msgspec.structs import replace

from automl_stream.backtest.result import (
    Alert,
    Cost,
    Decision,
    Detector,
    DetectorFiring,
    FeaturePoint,
    Result,
    Swap,
    Window,
)

ROWS, TRAINED, WINDOW_ROWS, THRESHOLD = 1_000, 200, 100, 10.0


def window(index: int, names: Sequence[str], alarming: str | None = None) -> Window:
    """The window of rows 200 + 100 x index; all features but the alarming one are quiet."""
    points = [FeaturePoint(name=name, evidence=40.0 if name == alarming else 0.1 * k, effect=0.5, lower_bound=0.3,
                           missing=0.0, psi=0.1, ks=None, calibrated=name == alarming, alarm=name == alarming)
              for k, name in enumerate(names)]
    first = TRAINED + WINDOW_ROWS * index
    return Window(start=first * 1_000, first_row=first, end_row=first + WINDOW_ROWS, rows=WINDOW_ROWS,
                  alarm=alarming in names, evidence=max(p.evidence for p in points), threshold=THRESHOLD,
                  sentence=f"Drift: {alarming} moved up." if alarming in names else "No drift in 100 rows.",
                  profile="p", reference_row=0, features=points)


def result(names: Sequence[str] = ("a", "b"), policy: str = "default") -> Result:
    """Eight windows; the first of `names` alarms in the last four, and the file is documented to change at row 600."""
    windows = [window(index, names, names[0] if index > 3 else None) for index in range(8)]
    alerts = [Alert(window_start=w.start, row=w.end_row, kind="covariate", features=[names[0]], onset_row=600,
                    sentence=w.sentence, alert_id=f"alert-{w.first_row}") for w in windows if w.alarm]
    return Result(
        policy=policy, pipeline="tiny", rows=ROWS, rows_trained=TRAINED, dead_letters=0, windows=windows, alerts=alerts,
        decisions=[Decision(row=700, verdict="trained", trigger="incident", reason="2 candidates are fitted",
                            decision_id="d1"),
                   Decision(row=800, verdict="promoted", trigger="incident", reason="evidence on 100 fresh rows",
                            decision_id="d1")],
        swaps=[Swap(row=TRAINED, version="1", reason="bootstrap"), Swap(row=800, version="2", reason="incident")],
        retrainings=1, promotions=1, rollbacks=0, accuracy=0.9, accuracy_frozen=0.8, mae=None, mae_frozen=None,
        training_seconds=1.25, cost=Cost(fits=3, fit_seconds=1.0, rows_scored=800, seconds=2.5),
        false_alarms=0, delay_rows={600: 100, 900: None}, firings=[], detectors=[])


def without_truth(known: Result) -> Result:
    """The same where no truth is known."""
    return replace(known, false_alarms=None, delay_rows=None)


def with_detectors(plain: Result) -> Result:
    """The same with a detector that alerted once and one whose false alarms could not be measured."""
    alert = Alert(window_start=300_000, row=400, kind="concept", features=["model.loss"], onset_row=300,
                  sentence="Detector ddm fired at row 250 of labelled.", alert_id="by-ddm", detector="ddm")
    return replace(plain, alerts=[alert, *plain.alerts], firings=[
        DetectorFiring(detector="ddm", offset=250, row=350, rose=True, window_start=300_000),
        DetectorFiring(detector="adwin", offset=600, row=700, rose=False, window_start=600_000)], detectors=[
        Detector(detector="ddm", alerting=True, firings=1, measured_on="rows before the first documented change",
                 false_alarm_rate=0.0025, upper_bound=0.012, steady_rows=400),
        Detector(detector="adwin", alerting=False, firings=1, measured_on="nothing: no row has a usable loss")])
