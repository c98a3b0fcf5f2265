"""Pipeline health, for whoever is on duty: whether everything runs, and events become predictions in time."""

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
)
from grafana.queries import metric

ANSWERS = {"1": ("answers", GOOD), "0": ("away", BAD)}


def health() -> Dashboard:
    """The first dashboard to look at."""
    return board("health", "automl-stream: pipeline health",
                 "Does everything run, and do events become predictions in time? Times are the clock's.",
                 {"Now": _now(), "Events": _events(), "Windows and record": _windows(), "What it stands on": _ground(),
                  "HTTP doors": _doors()}).refresh("30s")


def _now() -> Panels:
    return [
        number(Question(
            asks="Is any alert firing?", unit="short", width=QUARTER, bounds=((1, BAD),), see=("grafana",),
            means="Alerts of this pipeline that fire now. Prometheus says which, under Alerts."),
            metric('count(ALERTS{pipeline="$pipeline", alertstate="firing"}) or vector(0)')),
        number(Question(
            asks="Do all services answer?", unit="percentunit", width=QUARTER, first=BAD, bounds=((1, GOOD),),
            see=("runbooks/ServiceDown", "runbooks/ScoreWorkersDown", "runbooks/TrainerDown"),
            means="Share of the pipeline's processes that answer Prometheus."),
            metric('avg(up{pipeline="$pipeline"})')),
        number(Question(
            asks="Do events come?", unit="eps", width=QUARTER, first=PLAIN, see=("runbooks/NoEvents",),
            means="Events with a prediction a second, over all score workers."),
            metric('sum(rate(automl_stream_events_scored_total{pipeline="$pipeline"}[$__rate_interval]))')),
        number(Question(
            asks="Are events waiting?", unit="short", width=QUARTER, bounds=((1_000, WATCH), (100_000, BAD)),
            see=("runbooks/ScoringBehind", "scaling"),
            means="Records of `events` that no score worker is done with. Kafka keeps them; add workers if it grows."),
            metric('sum(automl_stream_consumer_lag_records{pipeline="$pipeline", service="score"})')),
    ]


def _events() -> Panels:
    return [
        lines(Question(
            asks="Does every partition get its share?", unit="short", width=HALF, see=("runbooks/ScoringBehind",),
            means="Records of `events` that wait, by partition. One apart has a hot entity or a stuck worker."),
            metric('sum by (partition) (automl_stream_consumer_lag_records{pipeline="$pipeline", service="score"})',
                   "partition {{partition}}")),
        lines(Question(
            asks="How long does a prediction take?", unit="s", bounds=((1, BAD),), see=("runbooks/PredictionsSlow",),
            means="From an event's Kafka timestamp to Kafka's confirmation of its prediction; the oldest of a chunk."),
            *(metric(f"histogram_quantile({share}, sum by (le) (rate("
                     'automl_stream_prediction_delay_seconds_bucket{pipeline="$pipeline"}[$__rate_interval])))', name)
              for share, name in ((0.5, "half of the chunks"), (0.99, "99 %")))),
        lines(Question(
            asks="What does a chunk cost?", unit="s", see=("benchmarks",),
            means="Decoding, scoring, counting and encoding of a chunk, by worker (99 %). Large chunks take longer "
                  "and are cheaper by row."),
            metric("histogram_quantile(0.99, sum by (instance, le) (rate("
                   'automl_stream_chunk_seconds_bucket{pipeline="$pipeline"}[$__rate_interval])))', "{{instance}}")),
        lines(Question(
            asks="Are checkpoints fresh?", unit="s", bounds=((30, BAD),), see=("runbooks/CheckpointOld",),
            means="Since a checkpoint last covered all that was scored. A crash repeats what is after it."),
            metric("time() - max by (partition) "
                   '(automl_stream_checkpoint_timestamp_seconds{pipeline="$pipeline"})', "partition {{partition}}")),
    ]


def _windows() -> Panels:
    return [
        lines(Question(
            asks="Do windows close?", unit="short", see=("runbooks/MonitorBehind", "drift"),
            means="Windows that some partition has counted and none has closed; and by how many windows' length "
                  "the fastest partition is past the oldest of them. Above 3 somebody is far behind."),
            metric('max(automl_stream_windows_waiting{pipeline="$pipeline"})', "windows that wait"),
            metric('max(automl_stream_window_delay_seconds{pipeline="$pipeline"} '
                   '/ automl_stream_window_size_seconds{pipeline="$pipeline"})', "delay, in windows")),
        lines(Question(
            asks="How fast does the monitor judge?", unit="s", bounds=((1, WATCH),),
            see=("runbooks/MonitorBehind",),
            means="From a window's last count to Kafka's confirmation of its report (99 %)."),
            metric("histogram_quantile(0.99, sum by (le) (rate("
                   'automl_stream_window_close_seconds_bucket{pipeline="$pipeline"}[$__rate_interval])))', "99 %")),
        lines(Question(
            asks="Does the record keep up?", unit="short", bounds=((100_000, BAD),),
            see=("runbooks/RecorderBehind", "record"),
            means="Records that are on Kafka and not yet in PostgreSQL, by topic."),
            metric('sum by (topic) (automl_stream_consumer_lag_records{pipeline="$pipeline", service="record"})',
                   "{{topic}}")),
        stacked(Question(
            asks="Is anything not recorded as it was said?", unit="short",
            see=("runbooks/AuditContradicted", "runbooks/PredictionsRefused", "record"),
            means="Records that the audit holds otherwise, and predictions that PostgreSQL refused. None is right."),
            metric("sum(increase("
                   'automl_stream_audit_contradicted_total{pipeline="$pipeline"}[$__rate_interval]))', "contradicted"),
            metric('sum(increase(automl_stream_refused_total{pipeline="$pipeline"}[$__rate_interval]))', "refused")),
    ]


def _ground() -> Panels:
    return [
        states(Question(
            asks="Which process was away, and when?", unit="short", width=WHOLE,
            see=("runbooks/ServiceDown", "runbooks/ServiceRestarting"),
            means="Whether each process answered Prometheus."), ANSWERS,
            metric('up{pipeline="$pipeline"}', "{{instance}}")),
        states(Question(
            asks="Do Kafka, PostgreSQL and MLflow answer?", unit="short",
            see=("runbooks/KafkaAway", "runbooks/PostgresAway", "runbooks/RegistryAway"),
            means="As the services see them: away if one of them gets no answer. Scoring needs Kafka only."), ANSWERS,
            metric('min(automl_stream_kafka_reachable{pipeline="$pipeline"})', "Kafka"),
            metric('min(automl_stream_postgres_waiting_seconds{pipeline="$pipeline"} < bool 15)', "PostgreSQL"),
            metric('min(automl_stream_registry_reachable{pipeline="$pipeline"})', "MLflow")),
        lines(Question(
            asks="How much memory does each process hold?", unit="bytes", width=QUARTER,
            see=("runbooks/ServiceRestarting",), means="Resident memory: what grows for hours is a leak."),
            metric('process_resident_memory_bytes{pipeline="$pipeline"}', "{{instance}}")),
        lines(Question(
            asks="Which process is busy?", unit="percentunit", width=QUARTER, see=("scaling",),
            means="Cores that each process uses. A score worker near 100 % needs another beside it."),
            metric('rate(process_cpu_seconds_total{pipeline="$pipeline"}[$__rate_interval])', "{{instance}}")),
    ]


def _doors() -> Panels:
    return [
        states(Question(
            asks="Can requests be served?", unit="short", width=THIRD, see=("runbooks/DoorNotReady",),
            means="What /readyz of each door says."), {"1": ("ready", GOOD), "0": ("not ready", BAD)},
            metric('automl_stream_door_ready{pipeline="$pipeline"}', "{{service}}")),
        stacked(Question(
            asks="Are requests refused, or do they fail?", unit="reqps", width=THIRD,
            see=("runbooks/DoorErrors", "runbooks/DoorRefuses", "ingestion", "predictions"),
            means="Requests a second by status; 429: the door tells its callers to slow down."),
            metric("sum by (service, status) (rate("
                   'automl_stream_http_requests_total{pipeline="$pipeline"}[$__rate_interval]))',
                   "{{service}} {{status}}")),
        lines(Question(
            asks="How long do callers wait?", unit="s", width=THIRD, bounds=((1, BAD),), see=("runbooks/DoorErrors",),
            means="From a request's headers to the end of its answer (99 %)."),
            metric("histogram_quantile(0.99, sum by (service, le) (rate("
                   'automl_stream_http_request_seconds_bucket{pipeline="$pipeline"}[$__rate_interval])))',
                   "{{service}}")),
    ]
