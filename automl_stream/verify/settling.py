"""Waits until what is in `events` and `labels` has had all its consequences, stage by stage along the flow."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaException

from automl_stream.group_commits import Place
from automl_stream.topic_log import Bounds, KafkaUnavailable, TopicLog
from automl_stream.verify.database import Database
from schemas.pipeline import Pipeline
from schemas.topics import DRIFT_ALERTS, EVENTS, LABELLED, LABELS, TOPICS, WINDOW_COUNTS, Topic, topic_name

RECORDED = tuple(topic for topic in TOPICS if "record" in topic.consumers)
# Each group reads what the ones before it wrote; the recorder comes again for what came last.
STAGES: tuple[tuple[str, tuple[Topic, ...]], ...] = (
    ("score", (EVENTS,)), ("record", RECORDED), ("labels", (LABELS,)),
    ("monitor", (WINDOW_COUNTS, LABELLED)),
    ("trainer", (LABELLED, DRIFT_ALERTS)), ("record", RECORDED),
)
_ASK_SECONDS = 0.2


@dataclass(kw_only=True)
class Settling:
    """Asks Kafka and PostgreSQL until `deadline` (monotonic seconds) has passed.

    `committed` gives a group's commits of some places, or raises KafkaException.
    """

    pipeline: Pipeline
    committed: Callable[[str, Iterable[Place]], Mapping[Place, int]]
    log: TopicLog
    database: Database
    deadline: float

    def wait(self, sources: dict[str, Bounds]) -> list[str]:
        """Wait for every stage; returns what still lags. `sources`: bounds, by topic, that do not move any more."""
        lagging = []
        for group, topics in STAGES:
            ends = {topic: sources.get(topic) or self.log.bounds(topic)
                    for topic in (topic_name(self.pipeline.name, topic) for topic in topics)}
            if not self._until(partial(self._caught_up, group, ends)):
                lagging.append(group)
            if group == "labels" and not self._until(lambda: self.database.labels_due() == 0):
                lagging.append("labels that wait in PostgreSQL")
        return list(dict.fromkeys(lagging))

    def _until(self, condition: Callable[[], bool]) -> bool:
        while not condition():
            if time.monotonic() >= self.deadline:
                return False
            time.sleep(_ASK_SECONDS)
        return True

    def _caught_up(self, group: str, ends: dict[str, Bounds]) -> bool:
        wanted = {(topic, partition): end for topic, bounds in ends.items()
                  for partition, (first, end) in bounds.items() if end > first}
        committed = self._committed(f"{self.pipeline.name}.{group}", wanted)
        if group == "trainer" and not committed:
            return True  # it starts with the first model: until then there is nothing to wait for
        return all(committed.get(place, 0) >= end for place, end in wanted.items())

    def _committed(self, group: str, places: Iterable[Place]) -> Mapping[Place, int]:
        """A broker that has just started still loads its groups: ask until it has."""
        while True:
            try:
                return self.committed(group, places)
            except KafkaException as error:
                if time.monotonic() >= self.deadline:
                    raise KafkaUnavailable(f"Kafka does not say what group {group} has committed "
                                           f"({error.args[0].str()}); see to the broker and verify again") from error
                time.sleep(_ASK_SECONDS)
