"""Waiting follows the flow, and ends at the deadline."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from automl_stream.group_commits import Place
from automl_stream.verify.settling import STAGES, Settling

from .model import tiny_pipeline

EVENTS, LABELS = "tiny.events", "tiny.labels"
SOURCES = {EVENTS: {0: (0, 10), 1: (0, 0)}, LABELS: {0: (0, 4)}}
ALL = {"tiny.score": {EVENTS: 10}, "tiny.labels": {LABELS: 4}}
NEVER, NOW = 1e12, 0.0


@dataclass
class Kafka:
    """Commits of each group; every other topic is empty. A group of `arriving` has committed on the second question."""

    committed: dict[str, dict[str, int]]
    arriving: dict[str, dict[str, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def bounds(self, _: str) -> dict[int, tuple[int, int]]:
        return {0: (0, 0)}

    def of(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        self.asked.append(group)
        answer = self.committed.get(group, {})
        self.committed |= {group: self.arriving.get(group, answer)}
        return {(topic, 0): answer[topic] for topic, _ in places if topic in answer}


def settling(kafka: Kafka, deadline: float, due: int = 0) -> Settling:
    anything: Any = kafka
    database: Any = SimpleNamespace(labels_due=lambda: due)
    return Settling(pipeline=tiny_pipeline(), committed=kafka.of, log=anything, database=database, deadline=deadline)


def test_nothing_lags_once_every_group_has_committed_the_ends() -> None:
    kafka = Kafka(ALL)
    assert settling(kafka, NOW).wait(SOURCES) == []
    assert kafka.asked == [f"tiny.{group}" for group, _ in STAGES]


def test_a_group_that_comes_along_is_waited_for() -> None:
    kafka = Kafka(ALL | {"tiny.score": {EVENTS: 9}}, arriving={"tiny.score": {EVENTS: 10}})
    assert settling(kafka, NEVER).wait(SOURCES) == []
    assert kafka.asked.count("tiny.score") == 2


def test_what_lags_at_the_deadline_is_named() -> None:
    assert settling(Kafka({}), NOW, due=3).wait(SOURCES) == ["score", "labels", "labels that wait in PostgreSQL"]
