"""The one table of topics: name, key, message, partitions, cleanup, retention, who writes and who reads."""

from dataclasses import dataclass
from typing import Literal

from schemas.pipeline import Pipeline, Retention

DAY_MS = 86_400_000
FOREVER = -1
DEFAULT = Retention()  # where a pipeline says no other
MAX_EVENT_BYTES = 1 << 20  # of what comes from outside
MAX_RECORD_BYTES = 4 << 20  # of ours: a dead letter holds its event in base64, a prediction its features


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One row of the table. `partitions` None: as many as the pipeline has; `retention_ms` -1: unlimited, else the
    least: see `retention_of`. `audited`: every record is kept for good, in a hash chain; it must name no entity."""

    name: str
    key: str
    message: str
    partitions: int | None = 1
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = FOREVER
    producer: str
    consumers: tuple[str, ...]
    audited: bool = False


EVENTS = Topic(name="events", key="entity", message="Event", partitions=None, retention_ms=DEFAULT.events,
               producer="producers", consumers=("score",))
PREDICTIONS = Topic(name="predictions", key="entity", message="Prediction", partitions=None,
                    retention_ms=DEFAULT.predictions, producer="score", consumers=("score", "record"))
DEAD_LETTERS = Topic(name="dead-letters", key="source", message="DeadLetter", retention_ms=DEFAULT.dead_letters,
                     producer="score", consumers=("record",))
SCORE_STATE = Topic(name="score-state", key="partition", message="ScoreState", partitions=None, cleanup="compact",
                    producer="score", consumers=("score",))
WINDOW_COUNTS = Topic(name="window-counts", key="partition, window, profile",
                      message="WindowCounts | PartitionWatermark | PartitionCount",
                      retention_ms=30 * DAY_MS, producer="score", consumers=("monitor",))
LABELS = Topic(name="labels", key="entity", message="Label", partitions=None, retention_ms=DEFAULT.labels,
               producer="producers", consumers=("labels",))
LABELLED = Topic(name="labelled", key="event", message="LabelledEvent", producer="labels",
                 consumers=("monitor", "trainer", "record"))
# The monitor goes on from the last one, however long ago it was.
QUALITY = Topic(name="quality", key="first offset", message="QualityReport", producer="monitor",
                consumers=("monitor", "record"))
DRIFT_STATS = Topic(name="drift-stats", key="window", message="DriftReport", retention_ms=DEFAULT.drift_stats,
                    producer="monitor", consumers=("monitor", "record"))
DRIFT_ALERTS = Topic(name="drift-alerts", key="alert id", message="DriftAlert", producer="monitor",
                     consumers=("monitor", "trainer", "record"), audited=True)
TRAINING_DECISIONS = Topic(name="training-decisions", key="decision id", message="TrainingDecision",
                           producer="trainer", consumers=("trainer", "record"), audited=True)
TRAINER_STATE = Topic(name="trainer-state", key="pipeline", message="TrainerState", cleanup="compact",
                      producer="trainer", consumers=("trainer",))
COMMANDS = Topic(name="commands", key="command id", message="Command", producer="command line",
                 consumers=("trainer", "record"), audited=True)
# Neither is compacted: compaction keeps the last record of a key, not the accepted one.
CONFIG = Topic(name="config", key="pipeline", message="Configuration", producer="command line",
               consumers=("score", "monitor", "labels", "trainer", "record", "producers", "predict"), audited=True)
MODEL_UPDATES = Topic(name="model-updates", key="slot", message="ModelAnnouncement", producer="trainer",
                      consumers=("score", "monitor", "trainer", "record", "predict"), audited=True)
MODEL_ARTIFACTS = Topic(name="model-artifacts", key="digest, chunk", message="bytes", cleanup="compact",
                        producer="trainer", consumers=("score", "monitor", "trainer", "predict"))
AUDIT_HEADS = Topic(name="audit-heads", key="topic, partition", message="AuditHead", producer="record",
                    consumers=("operator",))

TOPICS = (EVENTS, PREDICTIONS, DEAD_LETTERS, SCORE_STATE, WINDOW_COUNTS, LABELS, LABELLED, QUALITY, DRIFT_STATS,
          DRIFT_ALERTS, TRAINING_DECISIONS, TRAINER_STATE, COMMANDS, CONFIG, MODEL_UPDATES, MODEL_ARTIFACTS,
          AUDIT_HEADS)


def topic_name(pipeline: str, topic: Topic) -> str:
    """Full name of a pipeline's topic, such as `payments.events`."""
    return f"{pipeline}.{topic.name}"


def partition_count(pipeline: Pipeline, topic: Topic) -> int:
    """Partitions the topic is created with."""
    return topic.partitions or pipeline.pipeline.partitions


def retention_of(pipeline: Pipeline, topic: Topic) -> int:
    """Milliseconds that records are kept, -1: for ever. A restarted monitor counts again what a decision looks back on,
    and reads what it said of these windows: where that is more than 30 days, both topics are kept so much longer."""
    windows = pipeline.windows
    looked_back_on = windows.size * pipeline.drift.history_windows + windows.lateness
    longer = max(0, looked_back_on - WINDOW_COUNTS.retention_ms)
    kept = getattr(pipeline.retention, topic.name.replace("-", "_"), topic.retention_ms)
    return kept + (longer if topic in (WINDOW_COUNTS, DRIFT_STATS) else 0)


def topic_settings(pipeline: Pipeline, topic: Topic) -> dict[str, str]:
    """Kafka's topic configuration."""
    largest = MAX_EVENT_BYTES if topic in (EVENTS, LABELS) else MAX_RECORD_BYTES
    settings = {"cleanup.policy": topic.cleanup, "max.message.bytes": str(largest)}
    if topic.cleanup == "delete":
        settings["retention.ms"] = str(retention_of(pipeline, topic))
    return settings
