"""The labels reconcile: each record of `labels` ends in exactly one state, and PostgreSQL holds what they come to."""

from collections import Counter
from collections.abc import Iterator

from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Reading
from automl_stream.verify.recording import LabelRow
from automl_stream.verify.tables import gone, refused_records
from automl_stream.verify.truths import Event, Truths
from schemas.topics import LABELS, topic_name

LABELS_CHECK = "labels"


def check_labels(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """What cannot be used is kept as it came; of the rest the table holds the first label of the highest revision, and
    whether another contradicts it. The notes say how many records came to which state, and their events."""
    log, truths = reading.recording.log(LABELS), Truths.of(reading)
    refused = refused_records(reading.recording, LABELS)
    states: Counter[str] = Counter()
    name = topic_name(reading.recording.pipeline.name, LABELS)
    for record in log.records:
        place = record.partition, record.offset
        if log.judges(*place):
            seen.count += 1
            states["refused" if place in refused else truths.states.get(place, "lost")] += 1
            if place not in refused and place not in truths.states and not gone(reading.recording, name, record):
                yield _difference(f"labels {place[0]}/{place[1]}", "a row in `refused`: it cannot be used", "none")
    for row in reading.recording.rows.refused:
        if row.topic == name and log.judges(row.partition, row.position) and (
                row.partition, row.position) not in refused:
            yield _difference(f"labels {row.partition}/{row.position}", "the record that was refused", shown(row.value))
    rows = {(row.entity, row.event_id): row for row in reading.recording.rows.labels}
    if any(first > 0 for first, _ in log.bounds.values()) or reading.recording.rows.kept.some_labels:
        seen.notes.append("retention or an erasure has removed labels: the table is not judged")
    else:
        yield from _table(reading, truths, rows)
    outcomes = Counter(_outcome(row) for row in rows.values())
    for what, counts in (("records", states), ("events", outcomes)):
        if counts:
            seen.notes.append(f"{what}: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items())))


def _table(reading: Reading, truths: Truths, rows: dict[Event, LabelRow]) -> Iterator[Difference]:
    """Events with labels beyond the bounds are not judged: the table may be further, or not so far."""
    log = reading.recording.log(LABELS)
    beyond = {(e.message.entity, e.message.event_id) for e in reading.labels
              if not log.judges(e.record.partition, e.record.offset)}
    for event in (truths.by_event.keys() | rows.keys()) - beyond:
        truth, row = truths.newest(event), rows.get(event)
        wanted = None if truth is None else (truth.value, truth.entry.message.revision, truth.entry.message.ts,
                                             truth.entry.message.labeller, truth.contradiction is not None)
        found = None if row is None or row.implicit else (row.label, row.revision, row.ts, row.labeller, row.conflict)
        if wanted != found:
            yield _difference(f"event {event[1]!r} of {event[0]!r}",
                              f"label, revision, time, labeller, conflict: {wanted}", str(found))


def _outcome(row: LabelRow) -> str:
    """Where the label of an event stands."""
    if row.emitted:
        return "implicit" if row.implicit else "contradicted" if row.conflict else "emitted"
    return "expired" if row.expired else "waiting"


def _difference(where: str, expected: str, found: str) -> Difference:
    return Difference(check=LABELS_CHECK, where=where, expected=expected, found=found)
