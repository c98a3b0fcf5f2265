"""The training log: each pair of prediction and label once, and both as they were."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Entry, Reading
from automl_stream.verify.tables import refused_records
from schemas.codec import canonical_label
from schemas.messages import Label, LabelledEvent, LabelValue, Prediction
from schemas.topics import LABELS

LABELLED_CHECK = "labelled"
BOOTSTRAP = "bootstrap-"
Event = tuple[str, str]


@dataclass(kw_only=True)
class Truths:
    """Usable labels: by event and revision the first one."""

    by_event: dict[Event, dict[int, tuple[Entry[Label], LabelValue]]] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: Reading) -> "Truths":
        """The labels of a reading; those that do not fit the pipeline are left out."""
        truths = cls()
        for entry in reading.labels:
            label = entry.message
            try:
                value = canonical_label(reading.recording.pipeline.task, label.label)
            except ValueError:
                continue
            truths.by_event.setdefault((label.entity, label.event_id), {}).setdefault(label.revision, (entry, value))
        return truths


def check_labelled(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Each labelled event carries its label and the prediction of its event's lowest source; every pair is there."""
    truths, lowest = Truths.of(reading), _lowest_sources(reading)
    first: dict[tuple[Event, int], LabelledEvent] = {}
    repeats = 0
    for entry in reading.labelled:
        labelled, where = entry.message, f"labelled 0/{entry.record.offset}"
        if labelled.source.startswith(BOOTSTRAP) or reading.outside(labelled.source):
            continue
        seen.count += 1
        event = (labelled.entity, labelled.event_id)
        known = first.setdefault((event, labelled.revision), labelled)
        repeats += known is not labelled
        if known.label != labelled.label:
            yield _difference(where, f"label {known.label!r}, as the first time at revision {labelled.revision}",
                              repr(labelled.label))
        yield from _label(where, labelled, truths.by_event.get(event, {}), reading)
        yield from _prediction(where, labelled, lowest.get(event), reading)
    if repeats:
        seen.notes.append(f"{repeats} pairs of event and revision were written again")
    yield from _missing(reading, truths, lowest, first)


def _label(where: str, labelled: LabelledEvent, truths: dict[int, tuple[Entry[Label], LabelValue]],
           reading: Reading) -> Iterator[Difference]:
    truth = truths.get(labelled.revision)
    if truth is None:
        if all(first == 0 for first, _ in reading.recording.log(LABELS).bounds.values()):
            yield _difference(where, f"a label of event {labelled.event_id!r} at revision {labelled.revision}", "none")
        return
    wanted, found = (truth[1], truth[0].message.ts), (labelled.label, labelled.labelled_ts)
    if wanted != found:
        yield _difference(where, f"label and time {wanted}", str(found))


def _prediction(where: str, labelled: LabelledEvent, lowest: str | None, reading: Reading) -> Iterator[Difference]:
    """Since it was joined, a higher epoch may have scored the same source: any of them will do."""
    if lowest is None or labelled.source != lowest:
        yield _difference(where, f"the lowest source of event {labelled.event_id!r}: {lowest}", labelled.source)
        return
    candidates = [_joined(entry.message) for entry in reading.predictions[lowest]]
    found = _joined(labelled)
    if found not in candidates:
        yield _difference(where, f"the prediction it joins: {shown(candidates[-1])}", shown(found))


def _joined(message: LabelledEvent | Prediction) -> tuple[object, ...]:
    return (message.event_id, message.entity, message.ts, message.model, message.prediction, message.score,
            message.probabilities, message.features, message.pipeline_digest)


def _missing(reading: Reading, truths: Truths, lowest: dict[Event, str],
             emitted: dict[tuple[Event, int], LabelledEvent]) -> Iterator[Difference]:
    """The highest revision of every label whose event has a prediction was written, unless its block still waits."""
    due = {event: revisions[max(revisions)] for event, revisions in truths.by_event.items() if event in lowest}
    joined: dict[bytes, int] = {}
    for entry, _ in due.values():
        block = _block(entry)
        joined[block] = joined.get(block, 0) + 1
    for event, (entry, _) in due.items():
        block, record = _block(entry), entry.record
        waits = block and joined[block] < int(block.partition(b"/")[2] or 0)
        judged = reading.recording.log(LABELS).judges(record.partition, record.offset)
        if judged and not waits and (event, entry.message.revision) not in emitted:
            yield _difference(f"labels {record.partition}/{record.offset}",
                              f"event {event[1]!r} at revision {entry.message.revision} in labelled", "nothing")


def _block(entry: Entry[Label]) -> bytes:
    return next((value or b"" for name, value in entry.record.headers if name == "block"), b"")


def _lowest_sources(reading: Reading) -> dict[Event, str]:
    """The first delivery of each event whose prediction PostgreSQL can hold."""
    refused = refused_records(reading.recording)
    found: dict[Event, str] = {}
    for source in reading.deliveries:  # by partition and offset
        stored = [entry.message for entry in reading.predictions.get(source, ())
                  if (entry.record.partition, entry.record.offset) not in refused]
        if stored:
            found.setdefault((stored[0].entity, stored[0].event_id), source)
    return found


def _difference(where: str, expected: str, found: str) -> Difference:
    return Difference(check=LABELLED_CHECK, where=where, expected=expected, found=found)
