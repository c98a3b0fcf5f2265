"""What a score worker shows of itself."""

from typing import get_args

from schemas.messages import DeadLetterReason
from stream_apps.metrics.reading import ReadingMetrics
from stream_apps.metrics.serving import ServingMetrics
from telemetry.metrics import DELAY_SECONDS, WORK_SECONDS, ServiceMetrics

OWNED = "partitions that this worker has"


class ScoreMetrics(ServiceMetrics):
    """A value a chunk, never a row: the scoring path does not notice."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = ReadingMetrics(self)
        self.serving = ServingMetrics(self)
        self.scored = self.counter("events_scored", "Events with a prediction.")
        self.dead = self.counter("dead_letters", "Records that could not be scored.", reason=get_args(DeadLetterReason))
        self.seconds = self.histogram("chunk_seconds", "Decoding, scoring, counting and encoding of a chunk.",
                                      WORK_SECONDS)
        self.delay = self.histogram(
            "prediction_delay_seconds",
            "From an event's Kafka timestamp to Kafka's confirmation of its prediction; of a chunk the oldest.",
            DELAY_SECONDS)
        self.late = self.gauge("late_rows", "Rows behind their partition's watermark, since its first row.",
                               partition=OWNED)
        self.epoch = self.gauge("partition_model_epoch", "Epoch of the models that score the partition.",
                                partition=OWNED)
        self.checkpoint = self.gauge(
            "checkpoint_timestamp_seconds", "When a checkpoint last covered all that was scored.", partition=OWNED)
        self.watermark = self.gauge(
            "watermark_timestamp_seconds", "Event time up to which the partition's windows are final.", partition=OWNED)

    def forget_partitions(self) -> None:
        """They are another worker's from here on."""
        for gauge in (self.late, self.epoch, self.checkpoint, self.watermark):
            gauge.clear()
