"""What the trainer's world says of itself, also while the trainer fits or waits: how much it has to read, and whether
MLflow answers."""

import time
from collections.abc import Callable
from threading import Thread

from confluent_kafka import KafkaException

from kafka_access.access import KafkaAccess
from kafka_access.newest import NewestOffsets
from schemas.topics import LABELLED, topic_name
from trainer.metrics import TrainerMetrics
from trainer.registry import Registry

LOOK_SECONDS = 5.0
ANSWER_SECONDS = 4.0


class Watch:
    """Asks from a thread of its own, once MLflow is imported; `covered`: the trainer's place in `labelled`."""

    def __init__(self, kafka: KafkaAccess, pipeline: str, registry: Registry, metrics: TrainerMetrics,
                 covered: Callable[[], int]) -> None:
        self._newest = NewestOffsets(kafka)
        self._place = topic_name(pipeline, LABELLED), 0
        self._registry = registry
        self._metrics = metrics
        self._covered = covered
        Thread(target=self._work, name="watch", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._registry.look()
            try:
                end = self._newest.ends([self._place], ANSWER_SECONDS)[self._place]
            except KafkaException:
                end = None  # the trainer's own reading fails, too, and says so
            if end is not None:
                self._metrics.lag.set(max(0, end - self._covered()))
            time.sleep(LOOK_SECONDS)
