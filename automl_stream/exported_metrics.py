"""Which metrics each service exports: what dashboards, rules and the reference are made from. Nothing need run."""

from collections.abc import Mapping

from console.metrics import ConsoleMetrics
from producers.api.metrics import IngestionMetrics
from stream_apps.metrics.labels import LabelMetrics
from stream_apps.metrics.monitor import MonitorMetrics
from stream_apps.metrics.record import RecordMetrics
from stream_apps.metrics.score import ScoreMetrics
from stream_apps.predict.metrics import PredictionMetrics
from telemetry.metrics import ServiceMetrics
from trainer.metrics import TrainerMetrics

EXPORTED: Mapping[str, type[ServiceMetrics]] = {
    "score": ScoreMetrics,
    "monitor": MonitorMetrics,
    "labels": LabelMetrics,
    "record": RecordMetrics,
    "trainer": TrainerMetrics,
    "ingestion": IngestionMetrics,
    "prediction": PredictionMetrics,
    "console": ConsoleMetrics,
}
"""By the service's name, as `status` shows it after the pipeline's; a score worker's number is left out."""
