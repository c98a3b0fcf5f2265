"""Holds a replay at the end of each block until every service has done all that follows from it.

So the result of a replay depends on the data and not on the machine's speed. Everything is seen through Kafka: the
checkpoints of the scorers, the commits of the monitor, the state of the trainer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition

from automl_stream.topics import count_partitions
from kafka_access.access import NO_GROUP, KafkaAccess
from schemas.codec import decode
from schemas.messages import ScoreState, TrainerState
from schemas.model_log import ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import (
    DRIFT_ALERTS,
    EVENTS,
    LABELLED,
    MODEL_UPDATES,
    SCORE_STATE,
    TOPICS,
    TRAINER_STATE,
    WINDOW_COUNTS,
    Topic,
    topic_name,
)

PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.02


class LockstepStalled(Exception):
    """A service does not get further; the message says which. Its log says why: `automl-stream logs`."""


@dataclass(kw_only=True)
class _Seen:
    """The newest of what the services say of themselves."""

    score: dict[int, ScoreState] = field(default_factory=dict)
    trainer: TrainerState | None = None
    models: ModelLog = field(default_factory=ModelLog)


class LockstepBarrier:
    """Waits, block by block. Create it after bootstrap: labels are counted from what `labelled` holds by then.

    `require_services` raises where a service will not come back, so that nobody waits for it.
    """

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, require_services: Callable[[], None]) -> None:
        self._pipeline = pipeline
        self._require_services = require_services
        self._seen = _Seen()
        self._tail, self._monitor, self._recorder = (
            Consumer({**kafka.librdkafka(), "group.id": group, "enable.auto.commit": False, "fetch.wait.max.ms": 20})
            for group in (f"{NO_GROUP}lockstep", f"{pipeline.name}.monitor", f"{pipeline.name}.record"))
        self._partitions = range(count_partitions(self._tail, self._topic(EVENTS)))
        self._tail.assign(
            [TopicPartition(self._topic(SCORE_STATE), p, self._last(SCORE_STATE, p)) for p in self._partitions]
            + [TopicPartition(self._topic(TRAINER_STATE), 0, self._last(TRAINER_STATE)),
               TopicPartition(self._topic(MODEL_UPDATES), 0, 0)])
        self._expected_labels = self._end(LABELLED)

    def after_events(self, block: int) -> None:
        """Scored, checkpointed, and every window that they make final is judged."""
        ends = {p: self._end(EVENTS, p) for p in self._partitions}
        self._wait(lambda: all(p in self._seen.score and self._seen.score[p].covered >= end
                               for p, end in ends.items()), f"block {block}: the score service")
        counts = self._end(WINDOW_COUNTS)
        self._wait(lambda: self._monitored(WINDOW_COUNTS) >= counts, f"block {block}: the monitor service")

    def after_labels(self, block: int, labels: int) -> None:
        """Joined, learned from, and the model that results is in charge of every partition."""
        self._expected_labels += labels
        self._wait(lambda: self._end(LABELLED) >= self._expected_labels, f"block {block}: the label service")
        labelled, alerts = self._end(LABELLED), self._end(DRIFT_ALERTS)
        self._wait(lambda: self._trained(labelled, alerts), f"block {block}: the trainer")
        updates = self._end(MODEL_UPDATES)
        self._wait(lambda: self._folded() >= updates, f"block {block}: the model log")
        epoch = self._seen.models.epoch
        self._wait(lambda: all(p in self._seen.score and self._seen.score[p].epoch == epoch
                               for p in self._partitions), f"block {block}: a scorer's swap to epoch {epoch}")

    def after_recording(self) -> None:
        """PostgreSQL holds everything, live quality of all rows too."""
        labelled = self._end(LABELLED)
        self._wait(lambda: self._monitored(LABELLED) >= labelled, "the monitor service")
        partitions = [TopicPartition(self._topic(topic), p) for topic in TOPICS if "record" in topic.consumers
                      for p in range(count_partitions(self._tail, self._topic(topic)))]
        ends = {(tp.topic, tp.partition): self._tail.get_watermark_offsets(tp, timeout=30)[1] for tp in partitions}
        self._wait(lambda: all(tp.offset >= ends[tp.topic, tp.partition] or not ends[tp.topic, tp.partition]
                               for tp in self._recorder.committed(partitions, timeout=30)), "the record service")

    def close(self) -> None:
        """Close the consumers."""
        for consumer in (self._tail, self._monitor, self._recorder):
            consumer.close()

    def _wait(self, done: Callable[[], bool], who: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._read()
        while not done():
            if time.monotonic() > deadline:
                raise LockstepStalled(f"{who} got no further for {PATIENCE_SECONDS:.0f} s; see its log")
            self._require_services()
            self._read()

    def _read(self) -> None:
        """Take in what the services have said since."""
        for record in self._tail.consume(500, POLL_SECONDS):
            value = record.value()
            if record.error() or value is None:
                continue
            if record.topic() == self._topic(SCORE_STATE):
                state = decode(value, ScoreState)
                self._seen.score[state.partition] = state
            elif record.topic() == self._topic(TRAINER_STATE):
                self._seen.trainer = decode(value, TrainerState)
            else:
                self._seen.models.read(record.offset() or 0, value)

    def _trained(self, labelled: int, alerts: int) -> bool:
        state = self._seen.trainer
        return state is not None and state.covered >= labelled and state.covered_alerts >= alerts

    def _folded(self) -> int:
        position = self._tail.position([TopicPartition(self._topic(MODEL_UPDATES), 0)])[0].offset
        return max(position, 0)

    def _monitored(self, topic: Topic) -> int:
        committed = self._monitor.committed([TopicPartition(self._topic(topic), 0)], timeout=30)[0].offset
        return max(committed, 0)

    def _end(self, topic: Topic, partition: int = 0) -> int:
        return self._tail.get_watermark_offsets(TopicPartition(self._topic(topic), partition), timeout=30)[1]

    def _last(self, topic: Topic, partition: int = 0) -> int:
        return max(0, self._end(topic, partition) - 1)

    def _topic(self, topic: Topic) -> str:
        return topic_name(self._pipeline.name, topic)
