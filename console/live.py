"""What is live only: how fast topics grow and how far behind the services are, asked of Kafka every two seconds."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from kafka_access.access import KafkaAccess
from kafka_access.newest import NewestOffsets
from schemas.topics import (
    DEAD_LETTERS,
    DRIFT_ALERTS,
    DRIFT_STATS,
    EVENTS,
    LABELLED,
    LABELS,
    MODEL_UPDATES,
    PREDICTIONS,
    TRAINING_DECISIONS,
    WINDOW_COUNTS,
    Topic,
    topic_name,
)

SAMPLE_SECONDS = 2.0
KEPT = 300  # samples: ten minutes
RATE_SECONDS = 10.0
ANSWER_SECONDS = 5.0
STALE_SECONDS = 15.0

MEASURED = (EVENTS, PREDICTIONS, DEAD_LETTERS, LABELS, LABELLED, WINDOW_COUNTS, DRIFT_STATS, DRIFT_ALERTS,
            TRAINING_DECISIONS, MODEL_UPDATES)
# Who commits how far it has read, and of what.
READERS: tuple[tuple[str, Topic], ...] = (
    ("score", EVENTS), ("labels", LABELS), ("record", PREDICTIONS), ("monitor", WINDOW_COUNTS),
)

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look at a pipeline. `at`: seconds of a steady clock; `ends`: records ever, by topic; `lags`: records that
    wait, by service; a service that has never committed is absent."""

    at: float
    ends: dict[str, int]
    lags: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What is known of a pipeline now. `rates`: records a second by topic, `history`: of events, oldest first."""

    ends: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    lags: dict[str, int] = field(default_factory=dict)
    history: Sequence[float] = ()
    fresh: bool = False


class Live:
    """Looks at Kafka in a thread of its own; pages read what it saw last and never wait."""

    def __init__(self, pipelines: Sequence[str], kafka: KafkaAccess) -> None:
        self._pipelines = pipelines
        self._newest = NewestOffsets(kafka)
        self._groups = {(name, service): Consumer({**kafka.librdkafka(), "log_level": 2, "enable.auto.commit": False,
                                                   "group.id": f"{name}.{service}"})
                        for name in pipelines for service, _ in READERS}
        self._samples: dict[str, deque[Sample]] = {name: deque(maxlen=KEPT) for name in pipelines}
        self.answers = True

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="live", daemon=True).start()

    def pulse(self, pipeline: str) -> Pulse:
        """What is known of it."""
        samples = list(self._samples[pipeline])
        if not samples:
            return Pulse()
        newest = samples[-1]
        return Pulse(ends=newest.ends, lags=newest.lags, rates=rates(samples), history=history(samples),
                     fresh=time.monotonic() - newest.at < STALE_SECONDS)

    def _run(self) -> None:
        while True:
            for pipeline in self._pipelines:
                try:
                    self._samples[pipeline].append(self._look(pipeline))
                    self.answers = True
                except KafkaException as error:
                    if self.answers:
                        log.warning("Kafka does not answer the console", reason=str(error))
                    self.answers = False
            time.sleep(SAMPLE_SECONDS)

    def _look(self, pipeline: str) -> Sample:
        ends = self._newest.ends(self._places(pipeline), ANSWER_SECONDS)
        totals = {topic.name: sum(end for (name, _), end in ends.items() if name == topic_name(pipeline, topic))
                  for topic in MEASURED}
        return Sample(at=time.monotonic(), ends=totals, lags=dict(self._lags(pipeline, ends)))

    def _places(self, pipeline: str) -> list[tuple[str, int]]:
        names = {topic_name(pipeline, topic) for topic in MEASURED}
        topics = self._newest.topics(ANSWER_SECONDS)
        return [(name, number) for name in names & topics.keys() for number in topics[name]]

    def _lags(self, pipeline: str, ends: dict[tuple[str, int], int]) -> Iterator[tuple[str, int]]:
        for service, topic in READERS:
            places = [TopicPartition(*place) for place in ends if place[0] == topic_name(pipeline, topic)]
            committed = self._groups[pipeline, service].committed(places, timeout=ANSWER_SECONDS) if places else []
            if any(place.offset >= 0 for place in committed):
                yield service, sum(ends[place.topic, place.partition] - max(0, place.offset) for place in committed)


def rates(samples: Sequence[Sample]) -> dict[str, float]:
    """Records a second over the last seconds, by topic."""
    newest = samples[-1]
    oldest = next(sample for sample in samples if sample.at >= newest.at - RATE_SECONDS)
    span = newest.at - oldest.at
    return {topic: (end - oldest.ends.get(topic, end)) / span for topic, end in newest.ends.items()} if span else {}


def history(samples: Sequence[Sample]) -> list[float]:
    """Events a second between samples, oldest first."""
    return [(after.ends[EVENTS.name] - before.ends[EVENTS.name]) / (after.at - before.at)
            for before, after in pairwise(samples)]
