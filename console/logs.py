"""Logs whose order decides, folded as every service folds them: which models were accepted, which definition is in
force; and what the trainer's decisions come to. What has been read is kept; a page reads only what is new."""

import threading
from collections.abc import Collection
from typing import LiteralString, TypeVar

import msgspec
from msgspec import Struct

from console.store import Reading
from schemas.codec import decode
from schemas.configuration import ConfigurationLog
from schemas.messages import TrainingDecision, Verdict
from schemas.model_log import ModelLog
from schemas.topics import CONFIG, MODEL_UPDATES, TRAINING_DECISIONS, Topic, topic_name

WORDS = 4  # on one decision, at most

_BY_ID: LiteralString = """
select value from {schema}.audit
where topic = %(topic)s and partition = 0 and position >= %(since)s and key = any(%(ids)s)
order by position limit %(limit)s"""


class Ruling(Struct, frozen=True, kw_only=True):
    """Of a decision, what says how the trainer stands."""

    incident_id: str | None
    verdict: Verdict
    reason: str


class TrainerStatus:
    """How the trainer stands by what it has decided. `paused`: why nothing happens by itself; `incident`: id of the
    open one."""

    def __init__(self) -> None:
        self.paused: str | None = None
        self.incident: str | None = None
        self._settled: str | None = None

    def read(self, _position: int, value: bytes) -> None:
        """The next decision."""
        ruling = decode(value, Ruling)
        if ruling.verdict in {"paused", "resumed"}:
            self.paused = ruling.reason if ruling.verdict == "paused" else None
        if ruling.verdict == "settled":
            self.incident, self._settled = None, ruling.incident_id
        elif ruling.incident_id not in {None, self._settled}:  # a late word on the settled one opens nothing
            self.incident = ruling.incident_id


LogT = TypeVar("LogT", ModelLog, ConfigurationLog, TrainerStatus)


class Fold(Struct):
    """A log and the position of the first record that it has not seen."""

    log: ModelLog | ConfigurationLog | TrainerStatus
    position: int = 0


class Decisions(Struct, frozen=True, kw_only=True):
    """The last word on each of these decisions among those before `position`, by id."""

    ids: frozenset[str] = frozenset()
    position: int = 0
    found: dict[str, TrainingDecision] = {}


class Logs:
    """Folds of all pipelines."""

    def __init__(self) -> None:
        self._folds: dict[tuple[str, str], Fold] = {}
        self._decisions: dict[str, Decisions] = {}
        self._lock = threading.Lock()

    def models(self, reading: Reading) -> ModelLog:
        """Every accepted announcement that is stored."""
        return self._folded(reading, MODEL_UPDATES, ModelLog())

    def versions(self, reading: Reading) -> ConfigurationLog:
        """Every accepted version of the definition that is stored."""
        return self._folded(reading, CONFIG, ConfigurationLog(name=reading.pipeline))

    def trainer(self, reading: Reading) -> TrainerStatus:
        """What every stored decision comes to, however many alerts ago the one was that counts."""
        return self._folded(reading, TRAINING_DECISIONS, TrainerStatus())

    def decisions(self, reading: Reading, ids: Collection[str]) -> dict[str, TrainingDecision]:
        """The last word on each, by id. No index has them: the whole record is looked through for an id that was not
        asked for the last time, else what is new of it."""
        wanted, end = frozenset(ids), reading.said(TRAINING_DECISIONS)
        with self._lock:
            kept = self._decisions.get(reading.pipeline, Decisions())
            if not wanted <= kept.ids:
                kept = Decisions(ids=wanted)
            if kept.position < end:
                rows = reading.rows(_BY_ID, topic=topic_name(reading.pipeline, TRAINING_DECISIONS),
                                    since=kept.position, ids=[name.encode() for name in kept.ids],
                                    limit=WORDS * len(kept.ids))
                new = [decode(row["value"], TrainingDecision) for row in rows]
                found = kept.found | {decision.decision_id: decision for decision in new}
                kept = msgspec.structs.replace(kept, position=end, found=found)
            self._decisions[reading.pipeline] = kept
            return kept.found

    def _folded(self, reading: Reading, topic: Topic, empty: LogT) -> LogT:
        with self._lock:
            fold = self._folds.setdefault((reading.pipeline, topic.name), Fold(log=empty))
            log: LogT = fold.log  # type: ignore[assignment]  # made with `empty`
            for record in reading.since(topic, fold.position):
                log.read(record.position, record.value)
                fold.position = record.position + 1
            return log
