"""Drift explorer, for who asks why an alert fired: which features moved, how much, how surely, and since when."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.board import CHOSEN, Panels, board, features
from grafana.panels import (
    BAD,
    HALF,
    PLAIN,
    QUARTER,
    THIRD,
    WATCH,
    WHOLE,
    Question,
    heat,
    lines,
    number,
    ranking,
    stacked,
    table_of,
)
from grafana.queries import metric, metric_now, newest, series


def drift() -> Dashboard:
    """What the monitor has said of each window and feature."""
    return board("drift", "automl-stream: drift explorer",
                 "Which features moved, how much, how surely, and since when? Windows are placed by when they were "
                 "judged; their own time, which of a replayed file is another, is in the tables.",
                 {"Now": _now(), "Every feature": _features(), "The chosen features": _chosen(),
                  "In words": _words()},
                 features())


def _now() -> Panels:
    return [
        number(Question(
            asks="Does any feature break the budget?", unit="short", width=QUARTER, bounds=((1, BAD),),
            see=("runbooks/DriftAlert", "drift"),
            means="Features of the newest window whose change is material and would be a false alarm too rarely to "
                  "be one."),
            metric('max(automl_stream_features_alarming{pipeline="$pipeline"})')),
        number(Question(
            asks="How much of the budget is spent?", unit="percentunit", width=QUARTER,
            bounds=((1, WATCH), (4, BAD)), see=("runbooks/BudgetOverspent", "drift"),
            means="Incidents of seven days, by those that the declared budget of false alarms allows by chance alone. "
                  "A world that changes spends more: then it is no false alarm."),
            metric('max(pipeline:automl_stream_drift_budget_spent:ratio7d{pipeline="$pipeline"})')),
        number(Question(
            asks="How rare may a false alarm be?", unit="short", width=QUARTER, first=PLAIN, see=("drift",),
            means="The declared budget: at most one false alarm in so many windows."),
            metric('max(automl_stream_drift_budget_windows{pipeline="$pipeline"})')),
        number(Question(
            asks="Which features cannot alarm?", unit="short", width=QUARTER, bounds=((1, WATCH),), see=("drift",),
            means="Features that are shown and may not alarm, as their reference promises nothing."),
            metric('max(automl_stream_features_uncalibrated{pipeline="$pipeline"})')),
        ranking(Question(
            asks="How close is each feature to an alarm?", unit="percentunit", bounds=((0.5, WATCH), (1, BAD)),
            see=("runbooks/DriftAlert", "drift"),
            means="Evidence of the newest window by that from which a change is significant. From 100 % on it alarms "
                  "if it is large enough to matter, too. The twenty highest."),
            metric_now('topk(20, max by (feature) (automl_stream_drift_evidence{pipeline="$pipeline"} '
                       "/ on (instance) group_left () "
                       'automl_stream_drift_evidence_threshold{pipeline="$pipeline"}))', "{{feature}}")),
        stacked(Question(
            asks="Which kinds of alert came?", unit="short", see=("runbooks/DriftAlert", "runbooks/IncidentOpen"),
            means="Windows with an alert, by kind. Many alerts of one change are one incident."),
            metric("sum by (kind) (increase("
                   'automl_stream_drift_alerts_total{pipeline="$pipeline"}[$__rate_interval]))', "{{kind}}")),
    ]


def _features() -> Panels:
    return [
        heat(Question(
            asks="Which features moved, and when?", unit="short", width=WHOLE, first="dark-green",
            bounds=((0.05, "yellow"), (0.2, WATCH), (0.5, BAD)), see=("drift",),
            means="Size of the change by feature and window (PostgreSQL): in standard deviations of the reference for "
                  "numbers, Cohen's h for categories; without its sign. The fifty that moved most."),
            series("drift", "max(abs(effect))", "feature")),
    ]


def _chosen() -> Panels:
    return [
        lines(Question(
            asks="How large is the change, at least?", unit="short", see=("drift",),
            means="Effect and the end of its confidence interval nearer to 0 (PostgreSQL). An alarm needs that end "
                  "beyond the pipeline's `min_effect`."),
            series("drift", "avg(effect)", "feature", CHOSEN),
            series("drift", "avg(lower_bound)", "feature || ', at least'", CHOSEN)),
        lines(Question(
            asks="How sure is the change?", unit="short", see=("drift",),
            means="Minus the natural logarithm of the p-value (PostgreSQL): by chance alone, 7 comes once in a "
                  "thousand windows."),
            series("drift", "max(-log_p)", "feature", CHOSEN)),
        lines(Question(
            asks="What does PSI say?", unit="short", width=THIRD, bounds=((0.1, WATCH), (0.2, BAD)), see=("drift",),
            means="Population stability index against the reference, less its bias in small windows (PostgreSQL). "
                  "Shown because many know it; no alarm stands on it."),
            series("drift", "max(psi)", "feature", CHOSEN)),
        lines(Question(
            asks="What does the Kolmogorov-Smirnov distance say?", unit="percentunit", width=THIRD, see=("drift",),
            means="Largest distance of the distributions (PostgreSQL), numbers only. Shown; no alarm stands on it."),
            series("drift", "max(ks)", "feature", CHOSEN)),
        lines(Question(
            asks="What does the Jensen-Shannon distance say?", unit="short", width=THIRD, see=("drift",),
            means="Distance of the distributions between 0 and 1 (PostgreSQL). Shown; no alarm stands on it."),
            series("drift", "max(jensen_shannon)", "feature", CHOSEN)),
    ]


def _words() -> Panels:
    return [
        table_of(Question(
            asks="What was alerted?", unit="string", width=HALF, see=("runbooks/DriftAlert",),
            means="Alerts, the newest first, as the audit holds them (PostgreSQL); the onset is event time."),
            newest("alerts", "kind, sentence, to_timestamp(onset / 1000.0) as onset"),
            {"onset": "dateTimeAsIso"}),
        table_of(Question(
            asks="How was each window judged?", unit="string", width=HALF, see=("drift",),
            means="The verdict in words, the newest first (PostgreSQL); a window's end is event time."),
            newest("drift", "verdict, window_alarm as alarm, window_rows, "
                            "to_timestamp(window_end / 1000.0) as window_end"),
            {"window_end": "dateTimeAsIso", "window_rows": "short"}),
        lines(Question(
            asks="What do detectors of the loss see?", unit="short", width=WHOLE, see=("drift",),
            means="Changes that label-based detectors saw. They alert only where the pipeline file names them."),
            metric("sum by (detector) (increase("
                   'automl_stream_detector_firings_total{pipeline="$pipeline"}[$__rate_interval]))', "{{detector}}")),
    ]
