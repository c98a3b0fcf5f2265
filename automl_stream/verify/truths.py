"""What the records of `labels` say of each event, and what event time makes of that."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from automl_stream.verify.reading import Entry, Reading
from automl_stream.verify.tables import refused_records
from schemas.codec import canonical_label
from schemas.messages import Label, LabelValue, Prediction
from schemas.pipeline import Identity
from schemas.topics import LABELS

Event = tuple[str, str]
Place = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The first label of an event and a revision, and the first that contradicts it."""

    entry: Entry[Label]
    value: LabelValue
    contradiction: Entry[Label] | None = None


@dataclass(kw_only=True)
class Truths:
    """Usable labels by event and revision; the state that each of their records came to, by partition and offset."""

    by_event: dict[Event, dict[int, Truth]] = field(default_factory=dict)
    states: dict[Place, str] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: Reading) -> "Truths":
        """The labels of a reading; those that do not fit the pipeline, or that PostgreSQL refused, are left out."""
        truths, refused = cls(), refused_records(reading.recording, LABELS)
        for entry in reading.labels:
            place = entry.record.partition, entry.record.offset
            try:
                value = canonical_label(reading.recording.pipeline.task, entry.message.label)
            except ValueError:
                continue
            if place not in refused:
                truths.states[place] = truths.take(entry, value)
        return truths

    def take(self, entry: Entry[Label], value: LabelValue) -> str:
        """Fold one label in; returns its state."""
        label = entry.message
        revisions = self.by_event.setdefault((label.entity, label.event_id), {})
        highest, known = max(revisions, default=None), revisions.get(label.revision)
        if known is None:
            revisions[label.revision] = Truth(entry=entry, value=value)
        elif known.value != value and known.contradiction is None:
            revisions[label.revision] = replace(known, contradiction=entry)
        if highest is None:
            return "new"
        if label.revision != highest:
            return "revision" if label.revision > highest else "outdated"
        return "duplicate" if known is not None and known.value == value else "conflict"

    def newest(self, event: Event) -> Truth | None:
        """The label of the highest revision."""
        revisions = self.by_event.get(event)
        return revisions[max(revisions)] if revisions else None


@dataclass(frozen=True, kw_only=True)
class EventTimes:
    """How far each partition has come, by its predictions."""

    identity: Identity
    newest: dict[int, int]

    @classmethod
    def of(cls, identity: Identity, predictions: Iterable[Prediction]) -> "EventTimes":
        """Of the predictions that are stored."""
        newest: dict[int, int] = {}
        for prediction in predictions:
            partition = partition_of(prediction.source)
            newest[partition] = max(newest.get(partition, prediction.ts), prediction.ts)
        return cls(identity=identity, newest=newest)

    def ripe(self, source: str, ts: int) -> bool:
        """Whether silence is an answer by now, where it is one at all."""
        implicit, newest = self.identity.unlabelled_after, self.newest.get(partition_of(source))
        return implicit is None or (newest is not None and ts <= newest - implicit.after)

    def expired(self, partition: int, ts: int) -> bool:
        """Whether a label of then may have been given up."""
        newest = self.newest.get(partition)
        return newest is not None and ts < newest - self.identity.label_horizon


def partition_of(source: str) -> int:
    """Partition of an event's delivery."""
    return int(source.rsplit("-", 2)[1])
