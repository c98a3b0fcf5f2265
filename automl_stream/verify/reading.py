"""A recording decoded: every record of `events` and what became of it, every message, the fold of the models."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from automl_stream.topic_log import Record
from automl_stream.verify.deliveries import Delivery, read_deliveries
from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.recording import Recording
from schemas.codec import decode
from schemas.messages import (
    DeadLetter,
    DriftAlert,
    DriftReport,
    Label,
    LabelledEvent,
    ModelAnnouncement,
    Prediction,
    QualityReport,
    ScoreState,
    TrainingDecision,
    WindowRecord,
)
from schemas.model_log import ModelLog
from schemas.score_log import standing
from schemas.topics import (
    DEAD_LETTERS,
    DRIFT_ALERTS,
    DRIFT_STATS,
    EVENTS,
    LABELLED,
    LABELS,
    MODEL_UPDATES,
    PREDICTIONS,
    QUALITY,
    SCORE_STATE,
    TRAINING_DECISIONS,
    WINDOW_COUNTS,
    Topic,
)

READABLE = "readable"
MessageT = TypeVar("MessageT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry(Generic[MessageT]):
    """A message and the record that carried it."""

    record: Record
    message: MessageT


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Everything a check looks at. By source: `deliveries` and `predictions` (those of judged sources and of unknown
    ones; what lies outside the bounds of `events` is left out). `states`: of each partition the checkpoint that counts.
    """

    recording: Recording
    deliveries: dict[str, Delivery]
    predictions: dict[str, list[Entry[Prediction]]]
    dead_letters: list[Entry[DeadLetter]]
    window_counts: list[Entry[WindowRecord]]
    states: dict[int, ScoreState]
    labels: list[Entry[Label]]
    labelled: list[Entry[LabelledEvent]]
    quality: list[Entry[QualityReport]]
    reports: list[Entry[DriftReport]]
    alerts: list[Entry[DriftAlert]]
    decisions: list[Entry[TrainingDecision]]
    models: ModelLog
    unreadable: list[Difference]

    def winner(self, source: str) -> Prediction | None:
        """Of several predictions of one source the one with the highest epoch counts."""
        entries = self.predictions.get(source)
        return max((e.message for e in entries), key=lambda p: p.model.epoch) if entries else None

    def outside(self, source: str) -> bool:
        """Whether a source lies outside the bounds of `events`, so that nothing can be said about it."""
        return _outside(self.recording, source)


def read(recording: Recording) -> Reading:
    """Decode a recording; what cannot be read becomes a difference, not an error."""
    unreadable: list[Difference] = []

    def entries(topic: Topic, kind: Any) -> list[Entry[Any]]:
        found, bad = _decode(recording, topic, kind)
        unreadable.extend(bad)
        return found

    models = ModelLog()
    for entry in entries(MODEL_UPDATES, ModelAnnouncement):
        models.offer(entry.record.offset, entry.message)
    return Reading(
        recording=recording,
        deliveries=read_deliveries(recording.pipeline, recording.topic_id, recording.log(EVENTS).records,
                                   recording.codec),
        predictions=_by_source(recording, entries(PREDICTIONS, Prediction)),
        dead_letters=[e for e in entries(DEAD_LETTERS, DeadLetter) if not _outside(recording, e.message.source)],
        window_counts=entries(WINDOW_COUNTS, WindowRecord),
        states=standing(e.message for e in entries(SCORE_STATE, ScoreState)),
        labels=_decode(recording, LABELS, Label)[0],  # anyone may write a label that cannot be read
        labelled=entries(LABELLED, LabelledEvent), quality=entries(QUALITY, QualityReport),
        reports=entries(DRIFT_STATS, DriftReport), alerts=entries(DRIFT_ALERTS, DriftAlert),
        decisions=entries(TRAINING_DECISIONS, TrainingDecision), models=models, unreadable=unreadable,
    )


def check_readable(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Every record that our services wrote decodes."""
    seen.count = sum(len(log.records) for log in reading.recording.logs.values())
    yield from reading.unreadable


def _decode(recording: Recording, topic: Topic, kind: Any) -> tuple[list[Entry[Any]], list[Difference]]:
    found: list[Entry[Any]] = []
    bad: list[Difference] = []
    for record in recording.log(topic).records:
        try:
            found.append(Entry(record=record, message=decode(record.value or b"", kind)))
        except ValueError as error:  # msgspec's errors and bad UTF-8
            where = f"{topic.name} {record.partition}/{record.offset}"
            bad.append(Difference(check=READABLE, where=where, expected=topic.message, found=str(error)))
    return found, bad


def _by_source(recording: Recording, entries: list[Entry[Prediction]]) -> dict[str, list[Entry[Prediction]]]:
    found: dict[str, list[Entry[Prediction]]] = {}
    for entry in entries:
        if not _outside(recording, entry.message.source):
            found.setdefault(entry.message.source, []).append(entry)
    return found


def _outside(recording: Recording, source: str) -> bool:
    topic_id, *place = source.rsplit("-", 2)
    if topic_id != recording.topic_id or not all(part.isdecimal() for part in place):
        return False
    partition, offset = map(int, place)
    return not recording.log(EVENTS).judges(partition, offset)
