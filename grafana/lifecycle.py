"""Model lifecycle, for who answers for the models: which serve, how good they are, what was decided, and why."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.board import Panels, board
from grafana.panels import (
    BAD,
    GOOD,
    HALF,
    PLAIN,
    QUARTER,
    THIRD,
    WATCH,
    WHOLE,
    Question,
    lines,
    number,
    stacked,
    states,
    table_of,
)
from grafana.queries import metric, metric_rows, newest, series

OF_ALL_ROWS = "version is not null and feature is null"


def lifecycle() -> Dashboard:
    """From the decision to what it was good for."""
    return board("lifecycle", "automl-stream: model lifecycle",
                 "Which models serve, how good are they, what did the trainer decide, and why? Everything is placed "
                 "by when it was said.",
                 {"Now": _now(), "Serving": _serving(), "Quality": _quality(), "Decisions": _decisions(),
                  "Training": _training()})


def _now() -> Panels:
    return [
        number(Question(
            asks="How old is the champion?", unit="s", width=QUARTER, first=PLAIN, see=("models", "retraining"),
            means="Since its announcement. An old champion is well as long as no challenger beats it."),
            metric("time() - max(automl_stream_model_announced_timestamp_seconds"
                   '{pipeline="$pipeline", service="score", slot="champion"})')),
        number(Question(
            asks="Is an incident open?", unit="s", width=QUARTER, bounds=((1, WATCH), (21_600, BAD)),
            see=("runbooks/IncidentOpen", "retraining"),
            means="Event time since the open incident was opened; 0: none is open."),
            metric('max(automl_stream_incident_age_seconds{pipeline="$pipeline"})')),
        number(Question(
            asks="How many models could not be loaded?", unit="short", width=QUARTER, bounds=((1, BAD),),
            see=("runbooks/ModelRefused",),
            means="Announced models that a process refused since it started; what served before them serves on."),
            metric('sum(automl_stream_models_refused_total{pipeline="$pipeline"})')),
        number(Question(
            asks="How fast does a new model serve?", unit="s", width=QUARTER, bounds=((1, WATCH), (60, BAD)),
            see=("runbooks/ModelNotSwapped", "models"),
            means="From an announcement to the model being ready, on average over the dashboard's time."),
            metric('sum(rate(automl_stream_model_swap_delay_seconds_sum{pipeline="$pipeline"}[$__range])) '
                   '/ sum(rate(automl_stream_model_swap_delay_seconds_count{pipeline="$pipeline"}[$__range]))')),
    ]


def _serving() -> Panels:
    return [
        table_of(Question(
            asks="Which version serves in which slot?", unit="string", width=HALF, see=("models",),
            means="Processes that have a version ready: who disagrees for minutes has missed an announcement."),
            metric_rows('count by (slot, version, service) (automl_stream_model_version_info{pipeline="$pipeline"})'),
            {"Time": "dateTimeAsIso", "Value": "short"}),
        lines(Question(
            asks="Do all workers serve the same model?", unit="short", see=("runbooks/ModelNotSwapped",),
            means="Epoch of the champion by process: the offset of its announcement. The trainer's is the newest."),
            metric('automl_stream_model_epoch{pipeline="$pipeline", slot="champion"}', "{{instance}}"),
            metric('max(automl_stream_champion_epoch{pipeline="$pipeline"})', "announced")),
    ]


def _quality() -> Panels:
    return [
        lines(Question(
            asks="How good is each version now?", unit="short", see=("runbooks/QualityFell", "labels"),
            means="Accuracy, of numbers the mean absolute error, on the newest labelled rows, by the clock; `all`: "
                  "whatever version answered."),
            metric('automl_stream_quality{pipeline="$pipeline", figure=~"accuracy|mae"}', "{{version}} {{figure}}")),
        lines(Question(
            asks="How good was each version, and when?", unit="short", see=("labels",),
            means="Accuracy, of numbers the mean absolute error, of every quality report (PostgreSQL)."),
            series("quality", "avg(coalesce(accuracy, mae))", "version", OF_ALL_ROWS)),
        lines(Question(
            asks="Is the champion better than guessing?", unit="short", see=("runbooks/QualityFell", "retraining"),
            means="Discounted mean loss on fresh rows, beside that of answering the labels' own frequencies or mean. "
                  "Lower is better; at the same height nothing is learnt."),
            metric('max(automl_stream_champion_loss{pipeline="$pipeline"})', "champion"),
            metric('max(automl_stream_baseline_loss{pipeline="$pipeline"})', "guessing")),
        lines(Question(
            asks="How many labelled rows is that?", unit="short", see=("labels",),
            means="Labelled rows behind the newest figures of each version: few rows, little to go by."),
            metric('automl_stream_quality_rows{pipeline="$pipeline"}', "{{version}}")),
    ]


def _decisions() -> Panels:
    return [
        stacked(Question(
            asks="What did the trainer decide?", unit="short",
            see=("runbooks/TrainingFailing", "runbooks/ModelRolledBack", "retraining"),
            means="Decisions by verdict. 'Not now' is a decision, too: suppressed, deferred, rejected."),
            metric('sum by (verdict) (increase(automl_stream_decisions_total{pipeline="$pipeline"}[$__rate_interval]))',
                   "{{verdict}}")),
        states(Question(
            asks="Does anything happen by itself?", unit="short",
            see=("runbooks/TrainerPaused", "runbooks/BreakerOpen", "models"),
            means="Whether the trainer may act: an operator can pause it, and failures in a row open the breaker."),
            {"0": ("no", GOOD), "1": ("yes", BAD)},
            metric('max(automl_stream_trainer_paused{pipeline="$pipeline"})', "paused"),
            metric('max(automl_stream_breaker_open{pipeline="$pipeline"})', "breaker open"),
            metric('max(automl_stream_incident_open{pipeline="$pipeline"})', "incident open")),
        table_of(Question(
            asks="Why was it decided so?", unit="string", width=WHOLE, see=("retraining", "models"),
            means="Decisions with their gate's reason, the newest first, as the audit holds them (PostgreSQL)."),
            newest("decisions", 'verdict, trigger, reason, version, "by", incident_id, decision_id'), {}),
        table_of(Question(
            asks="Which models were announced?", unit="string", width=WHOLE, see=("models",),
            means="Announcements, the newest first (PostgreSQL). One that does not replace the newest of its slot was "
                  "not accepted."),
            newest("announcements", "slot, version, epoch, replaces, share, reason"),
            {"epoch": "none", "replaces": "none", "share": "percentunit"}),
    ]


def _training() -> Panels:
    return [
        lines(Question(
            asks="How long does a fit take?", unit="s", width=THIRD, see=("families", "retraining"),
            means="Duration of a fit on average, by family."),
            metric('sum by (family) (rate(automl_stream_fit_seconds_sum{pipeline="$pipeline"}[$__range])) '
                   '/ (sum by (family) (rate(automl_stream_fit_seconds_count{pipeline="$pipeline"}[$__range])) > 0)',
                   "{{family}}")),
        lines(Question(
            asks="Does the trainer keep up?", unit="short", width=THIRD, bounds=((10_000, BAD),),
            see=("runbooks/TrainerBehind",), means="Records of `labelled` that the trainer has not taken in."),
            metric('max(automl_stream_trainer_lag_records{pipeline="$pipeline"})', "records that wait")),
        lines(Question(
            asks="Is there exactly one trainer?", unit="short", width=THIRD, first=BAD, bounds=((1, GOOD), (2, BAD)),
            see=("runbooks/TrainerDown", "retraining"),
            means="Trainers that lead. Others wait until it is gone."),
            metric('sum(automl_stream_trainer_leads{pipeline="$pipeline"})', "trainers that lead")),
    ]
