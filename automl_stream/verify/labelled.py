"""The training log: each pair of prediction and label once, and both as they were."""

from collections.abc import Iterator
from dataclasses import dataclass

from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Entry, Reading
from automl_stream.verify.tables import refused_records
from automl_stream.verify.truths import Event, EventTimes, Truth, Truths
from schemas.messages import Label, LabelledEvent, Prediction
from schemas.topics import LABELS

LABELLED_CHECK = "labelled"
BOOTSTRAP = "bootstrap-"
IMPLICIT_REVISION = -1


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What the training log must hold: labels, the stored prediction of each event's lowest source, event times."""

    reading: Reading
    truths: Truths
    lowest: dict[Event, Prediction]
    times: EventTimes

    @classmethod
    def of(cls, reading: Reading) -> "Pairs":
        """Of everything that was read."""
        refused, lowest = refused_records(reading.recording), {}
        stored = [[entry.message for entry in reading.predictions.get(source, ())
                   if (entry.record.partition, entry.record.offset) not in refused]
                  for source in reading.deliveries]  # by partition and offset
        for messages in stored:
            for prediction in messages[:1]:
                lowest.setdefault((prediction.entity, prediction.event_id), prediction)
        times = EventTimes.of(reading.recording.pipeline.pipeline, (p for messages in stored for p in messages))
        return cls(reading=reading, truths=Truths.of(reading), lowest=lowest, times=times)


def check_labelled(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Each labelled event carries its label and the prediction of its event's lowest source; every pair is there."""
    pairs = Pairs.of(reading)
    first: dict[tuple[Event, int], LabelledEvent] = {}
    emitted: set[tuple[Event, int, bool]] = set()
    repeats = 0
    for entry in reading.labelled:
        labelled, where = entry.message, f"labelled 0/{entry.record.offset}"
        if labelled.source.startswith(BOOTSTRAP) or reading.outside(labelled.source):
            continue
        seen.count += 1
        event = (labelled.entity, labelled.event_id)
        known = first.setdefault((event, labelled.revision), labelled)
        repeats += (event, labelled.revision, labelled.conflict) in emitted
        emitted.add((event, labelled.revision, labelled.conflict))
        if known.label != labelled.label:
            yield _difference(where, f"label {known.label!r}, as the first time at revision {labelled.revision}",
                              repr(labelled.label))
        yield from _implicit(where, labelled, pairs) if labelled.implicit else _label(where, labelled, pairs)
        yield from _prediction(where, labelled, pairs)
    if repeats:
        seen.notes.append(f"{repeats} pairs of event and revision were written again")
    yield from _missing(pairs, emitted)
    yield from _silent(pairs, emitted)


def _label(where: str, labelled: LabelledEvent, pairs: Pairs) -> Iterator[Difference]:
    truth = pairs.truths.by_event.get((labelled.entity, labelled.event_id), {}).get(labelled.revision)
    if truth is None:
        if all(first == 0 for first, _ in pairs.reading.recording.log(LABELS).bounds.values()):
            yield _difference(where, f"a label of event {labelled.event_id!r} at revision {labelled.revision}", "none")
        return
    label = truth.entry.message
    wanted, found = (truth.value, label.ts, label.labeller), (labelled.label, labelled.labelled_ts, labelled.labeller)
    if wanted != found:
        yield _difference(where, f"label, time and labeller {wanted}", str(found))
    if labelled.conflict and truth.contradiction is None:
        yield _difference(where, f"no conflict: all labels say {truth.value!r}", "a conflict")


def _implicit(where: str, labelled: LabelledEvent, pairs: Pairs) -> Iterator[Difference]:
    """Nobody had labelled it when its partition was so much further; a pair of another pipeline file is not judged."""
    pipeline = pairs.reading.recording.pipeline
    implicit = pipeline.pipeline.unlabelled_after
    if implicit is None or labelled.pipeline_digest != pipeline.digest:
        return
    wanted = implicit.label, labelled.ts + implicit.after, IMPLICIT_REVISION, False, True
    found = (labelled.label, labelled.labelled_ts, labelled.revision, labelled.conflict,
             pairs.times.ripe(labelled.source, labelled.ts))
    if wanted != found:
        yield _difference(where, f"label, time, revision, conflict, old enough: {wanted}", str(found))


def _prediction(where: str, labelled: LabelledEvent, pairs: Pairs) -> Iterator[Difference]:
    """Since it was joined, a higher epoch may have scored the same source: any of them will do."""
    lowest = pairs.lowest.get((labelled.entity, labelled.event_id))
    if lowest is None or labelled.source != lowest.source:
        yield _difference(where, f"the lowest source of event {labelled.event_id!r}: {lowest and lowest.source}",
                          labelled.source)
        return
    candidates = [_joined(entry.message) for entry in pairs.reading.predictions[lowest.source]]
    found = _joined(labelled)
    if found not in candidates:
        yield _difference(where, f"the prediction it joins: {shown(candidates[-1])}", shown(found))


def _joined(message: LabelledEvent | Prediction) -> tuple[object, ...]:
    return (message.event_id, message.entity, message.ts, message.model, message.prediction, message.score,
            message.probabilities, message.features, message.pipeline_digest)


def _missing(pairs: Pairs, emitted: set[tuple[Event, int, bool]]) -> Iterator[Difference]:
    """The highest revision of every label whose event has a prediction was written, and that it is contradicted; unless
    its block still waits, its event is too young, or it had expired before its prediction came."""
    due = {event: truth for event in pairs.truths.by_event
           if event in pairs.lowest and (truth := pairs.truths.newest(event)) is not None}
    joined: dict[bytes, int] = {}
    for truth in due.values():
        block = _block(truth.entry)
        joined[block] = joined.get(block, 0) + 1
    given_up = {(row.entity, row.event_id) for row in pairs.reading.recording.rows.labels if row.expired}
    for event, truth in due.items():
        block, prediction = _block(truth.entry), pairs.lowest[event]
        waits = joined[block] < int(block.partition(b"/")[2] or 0) if block else not pairs.times.ripe(
            prediction.source, prediction.ts)
        label, record = truth.entry.message, truth.entry.record
        if waits or (event in given_up and pairs.times.expired(record.partition, label.ts)):
            continue
        for entry, conflict in ((truth.entry, False), (truth.contradiction, True)):
            if entry is not None and _judged(pairs.reading, entry) and not _said(truth, emitted, event, conflict):
                what = "contradicted " if conflict else ""
                yield _difference(f"labels {entry.record.partition}/{entry.record.offset}",
                                  f"event {event[1]!r} {what}at revision {label.revision} in labelled", "nothing")


def _said(truth: Truth, emitted: set[tuple[Event, int, bool]], event: Event, conflict: bool) -> bool:
    """A label that was contradicted before it was written is written once, as a conflict."""
    revision = truth.entry.message.revision
    return (event, revision, True) in emitted or (not conflict and (event, revision, False) in emitted)


def _silent(pairs: Pairs, emitted: set[tuple[Event, int, bool]]) -> Iterator[Difference]:
    """Silence became the label of every event that is old enough and has none."""
    pipeline = pairs.reading.recording.pipeline
    if pipeline.pipeline.unlabelled_after is None:
        return
    for event, prediction in pairs.lowest.items():
        if (prediction.pipeline_digest == pipeline.digest and event not in pairs.truths.by_event
                and pairs.times.ripe(prediction.source, prediction.ts)
                and (event, IMPLICIT_REVISION, False) not in emitted):
            yield _difference(prediction.source, f"event {event[1]!r} in labelled: its silence is a label", "nothing")


def _judged(reading: Reading, entry: Entry[Label]) -> bool:
    return reading.recording.log(LABELS).judges(entry.record.partition, entry.record.offset)


def _block(entry: Entry[Label]) -> bytes:
    return next((value or b"" for name, value in entry.record.headers if name == "block"), b"")


def _difference(where: str, expected: str, found: str) -> Difference:
    return Difference(check=LABELLED_CHECK, where=where, expected=expected, found=found)
