"""Data quality, for who produces events and labels: what cannot be used, what is missing, what comes late."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.board import CHOSEN, Panels, board, features
from grafana.panels import (
    BAD,
    GOOD,
    HALF,
    PLAIN,
    QUARTER,
    THIRD,
    WATCH,
    Question,
    lines,
    number,
    ranking,
    stacked,
)
from grafana.queries import metric, metric_now, series


def data_quality() -> Dashboard:
    """What the pipeline was given."""
    return board("data-quality", "automl-stream: data quality",
                 "What cannot be scored, what is missing, what comes late, and which answers ever get a label?",
                 {"Now": _now(), "Events that cannot be scored": _dead_letters(), "Time": _time(),
                  "Missing values": _missing(), "Labels": _labels()},
                 features())


def _now() -> Panels:
    return [
        number(Question(
            asks="What share of events cannot be scored?", unit="percentunit", width=QUARTER,
            bounds=((0.0001, WATCH), (0.01, BAD)), see=("runbooks/DeadLetters", "dead-letters"),
            means="Dead letters of five minutes, by all records that were read."),
            metric('max(pipeline:automl_stream_dead_letters:ratio5m{pipeline="$pipeline"})')),
        number(Question(
            asks="What share of events comes too late?", unit="percentunit", width=QUARTER,
            bounds=((0.01, WATCH), (0.05, BAD)), see=("runbooks/RowsLate", "drift"),
            means="Events behind their partition's watermark, by those that were scored, over the dashboard's time. "
                  "They are scored, and counted in no window."),
            metric('clamp_min(sum(delta(automl_stream_late_rows{pipeline="$pipeline"}[$__range])), 0) / '
                   'sum(increase(automl_stream_events_scored_total{pipeline="$pipeline"}[$__range]))')),
        number(Question(
            asks="What share of predictions gets a label?", unit="percentunit", width=QUARTER, first=BAD,
            bounds=((0.5, WATCH), (0.9, GOOD)), see=("runbooks/LabelCoverageLow", "labels"),
            means="Of the predictions that are older than the label horizon: no value before any is."),
            metric('max(automl_stream_label_coverage_ratio{pipeline="$pipeline"})')),
        number(Question(
            asks="How many labels wait for a prediction?", unit="short", width=QUARTER, first=PLAIN,
            see=("runbooks/LabelsWaiting", "labels"),
            means="Labels that are neither in the training log nor expired."),
            metric('max(automl_stream_labels_waiting{pipeline="$pipeline"})')),
    ]


def _dead_letters() -> Panels:
    return [
        stacked(Question(
            asks="Why can events not be scored?", unit="eps",
            see=("runbooks/DeadLetters", "runbooks/EventsExpired", "dead-letters"),
            means="Dead letters a second by reason. `automl-stream dead-letters list` shows them, `replay` sends them "
                  "again."),
            metric('sum by (reason) (rate(automl_stream_dead_letters_total{pipeline="$pipeline"}[$__rate_interval]))',
                   "{{reason}}")),
        stacked(Question(
            asks="What became of rows over HTTP?", unit="eps", see=("ingestion",),
            means="Rows a second at the ingestion API, by topic and what became of them: repeated ones were known, "
                  "unconfirmed ones Kafka did not take in time."),
            metric('sum by (topic, outcome) (rate(automl_stream_rows_ingested_total{pipeline="$pipeline"}'
                   "[$__rate_interval]))", "{{topic}}: {{outcome}}")),
    ]


def _time() -> Panels:
    return [
        lines(Question(
            asks="How far behind the clock is event time?", unit="s", see=("runbooks/MonitorBehind", "drift"),
            means="The clock, less the event time up to which a partition's windows are final. Of a "
                  "file that is replayed it is the age of its events."),
            metric("time() - max by (partition) "
                   '(automl_stream_watermark_timestamp_seconds{pipeline="$pipeline"})', "partition {{partition}}")),
        lines(Question(
            asks="Which partition has late events?", unit="short", see=("runbooks/RowsLate",),
            means="Events behind their partition's watermark, since its first. A partition apart from the others has a "
                  "producer with a wrong clock, or a very slow one."),
            metric('max by (partition) (automl_stream_late_rows{pipeline="$pipeline"})', "partition {{partition}}")),
    ]


def _missing() -> Panels:
    return [
        ranking(Question(
            asks="Which features lack values now?", unit="percentunit", bounds=((0.05, WATCH), (0.5, BAD)),
            see=("runbooks/DriftAlert", "features"),
            means="Share of the newest window's rows without a value; the twenty highest. A rise alerts by itself."),
            metric_now('topk(20, max by (feature) (automl_stream_feature_missing_ratio{pipeline="$pipeline"}))',
                       "{{feature}}")),
        lines(Question(
            asks="Since when do they lack them?", unit="percentunit", see=("features",),
            means="Share of rows without a value, of the chosen features (PostgreSQL)."),
            series("drift", "max(missing)", "feature", CHOSEN)),
    ]


def _labels() -> Panels:
    return [
        stacked(Question(
            asks="What are the labels that come?", unit="eps", width=THIRD, see=("labels",),
            means="Labels a second by what they were beside those of their event: the first, the same again, a "
                  "revision, a contradiction."),
            metric('sum by (state) (rate(automl_stream_labels_total{pipeline="$pipeline"}[$__rate_interval]))',
                   "{{state}}")),
        stacked(Question(
            asks="Which labels cannot be used?", unit="eps", width=THIRD, see=("runbooks/LabelsRefused", "labels"),
            means="Labels a second that were refused, by reason, and those whose event had no prediction in time."),
            metric("sum by (reason) (rate("
                   'automl_stream_labels_refused_total{pipeline="$pipeline"}[$__rate_interval]))', "{{reason}}"),
            metric('sum(rate(automl_stream_labels_expired_total{pipeline="$pipeline"}[$__rate_interval]))', "expired")),
        lines(Question(
            asks="How long do labels take?", unit="s", width=THIRD, see=("labels",),
            means="Event time from an event to its label: half of them and 90 % of them come within it."),
            *(metric(f"histogram_quantile({share}, sum by (le) (rate("
                     'automl_stream_label_delay_seconds_bucket{pipeline="$pipeline"}[$__rate_interval])))', name)
              for share, name in ((0.5, "half"), (0.9, "90 %")))),
        lines(Question(
            asks="Do labels reach the training log?", unit="eps", width=HALF, see=("runbooks/LabelsBehind", "labels"),
            means="Labelled events a second, and those of them whose silence became their label."),
            metric('sum(rate(automl_stream_labelled_total{pipeline="$pipeline"}[$__rate_interval]))', "labelled"),
            metric('sum(rate(automl_stream_labels_implicit_total{pipeline="$pipeline"}[$__rate_interval]))', "silent")),
        lines(Question(
            asks="Do labels wait to be read?", unit="short", width=HALF, bounds=((1_000, BAD),),
            see=("runbooks/LabelsBehind",), means="Records of `labels` that the label service is not done with."),
            metric('sum(automl_stream_consumer_lag_records{pipeline="$pipeline", service="labels"})', "labels")),
    ]
