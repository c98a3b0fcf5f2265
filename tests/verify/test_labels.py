"""The labels reconcile, and a record that ends as nothing is found."""

from collections.abc import Callable

import msgspec
import pytest

from automl_stream.topic_log import Log
from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.labelled import check_labelled
from automl_stream.verify.labels import check_labels
from automl_stream.verify.reading import read
from automl_stream.verify.recording import LabelRow, Recording, RefusedRow
from schemas.messages import Label, LabelledEvent
from schemas.pipeline import ImplicitLabel
from schemas.topics import LABELLED, LABELS, topic_name

from .mutation import altered, repeated, with_rows
from .run import Run, small_run


def judged(recording: Recording) -> tuple[list[Difference], list[str]]:
    seen = Seen()
    return list(check_labels(read(recording), seen)), seen.notes


def row_changed(recording: Recording, index: int = 0, **changes: object) -> Recording:
    rows = list(recording.rows.labels)
    rows[index] = msgspec.structs.replace(rows[index], **changes)
    return with_rows(recording, msgspec.structs.replace(recording.rows, labels=rows))


def garbage(recording: Recording, kept: bytes | None) -> Recording:
    """A label that cannot be read, and what was kept of it."""
    log = recording.log(LABELS)
    record = msgspec.structs.replace(log.records[0], value=b"{", offset=log.bounds[0][1])
    longer = Log(records=sorted([*log.records, record], key=lambda r: (r.partition, r.offset)),
                 bounds=log.bounds | {0: (0, record.offset + 1)})
    changed = msgspec.structs.replace(recording, logs=recording.logs | {LABELS.name: longer})
    if kept is None:
        return changed
    refused = RefusedRow(topic=topic_name("tiny", LABELS), partition=0, position=record.offset, value=kept)
    return with_rows(changed, msgspec.structs.replace(recording.rows, refused=[refused]))


def test_every_record_and_every_event_is_counted(recording: Recording) -> None:
    found, notes = judged(recording)
    assert found == []
    assert notes == ["records: 43 new", "events: 43 emitted"]


def test_a_label_that_cannot_be_used_must_be_kept_as_it_came(recording: Recording) -> None:
    assert judged(garbage(recording, b"{")) == ([], ["records: 43 new, 1 refused", "events: 43 emitted"])
    (lost,), notes = judged(garbage(recording, None))
    assert (lost.expected, notes[0]) == ("a row in `refused`: it cannot be used", "records: 1 lost, 43 new")
    assert len(judged(garbage(recording, b"other"))[0]) == 2


CHANGES: dict[str, Callable[[Recording], Recording]] = {
    "another label": lambda r: row_changed(r, label="0"),
    "another revision": lambda r: row_changed(r, revision=1),
    "another labeller": lambda r: row_changed(r, labeller="mallory"),
    "a conflict of nothing": lambda r: row_changed(r, conflict=True),
    "a conflict that is not noted": lambda r: repeated(r, LABELS, 0, Label, label="0"),
    "a row without labels": lambda r: row_changed(r, event_id="nobody"),
    "a row missing": lambda r: with_rows(r, msgspec.structs.replace(r.rows, labels=r.rows.labels[1:])),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_table_that_is_not_what_the_labels_come_to_is_found(recording: Recording, name: str) -> None:
    assert judged(CHANGES[name](recording))[0]


def labelled_differences(recording: Recording) -> list[Difference]:
    return list(check_labelled(read(recording), Seen()))


def test_a_conflict_must_be_in_the_training_log_and_only_a_conflict(recording: Recording) -> None:
    contradicted = row_changed(repeated(recording, LABELS, 0, Label, label="0"), conflict=True)
    assert judged(contradicted)[0] == []
    (missing,) = labelled_differences(contradicted)
    assert missing.expected == "event 'e0' contradicted at revision 0 in labelled"
    assert labelled_differences(repeated(contradicted, LABELLED, 0, LabelledEvent, conflict=True)) == []
    assert labelled_differences(altered(contradicted, LABELLED, 0, LabelledEvent, conflict=True)) == []
    (invented,) = labelled_differences(altered(recording, LABELLED, 0, LabelledEvent, conflict=True))
    assert invented.found == "a conflict"


def silent(after: str = "20s -> no") -> Recording:
    """The small run where nobody labels, and silence is an answer after a while: event times reach 45 s."""
    plain = small_run()
    identity = msgspec.structs.replace(plain.pipeline.pipeline, unlabelled_after=ImplicitLabel(after))
    pipeline = msgspec.structs.replace(plain.pipeline, pipeline=identity)
    run = Run(pipeline=pipeline, records=plain.records | {LABELS.name: [], LABELLED.name: []})
    for prediction in plain._winners().values():
        if prediction.ts <= 25_000:
            run.say(LABELLED, LabelledEvent(
                event_id=prediction.event_id, entity=prediction.entity, ts=prediction.ts, source=prediction.source,
                pipeline_digest=prediction.pipeline_digest, features=prediction.features, label="no", revision=-1,
                labelled_ts=prediction.ts + 20_000, model=prediction.model, prediction=prediction.prediction,
                score=prediction.score, probabilities=prediction.probabilities, implicit=True))
    return with_digest(run.recording(), plain.pipeline.digest, pipeline.digest)


def with_digest(recording: Recording, old: str, new: str) -> Recording:
    """As if everything had been said under the pipeline file of the other digest."""
    logs = {name: Log(bounds=log.bounds, records=[
        msgspec.structs.replace(r, value=r.value and r.value.replace(old.encode(), new.encode()))
        for r in log.records]) for name, log in recording.logs.items()}
    return msgspec.structs.replace(recording, logs=logs)


def test_silence_of_every_event_that_is_old_enough_is_a_label_and_of_no_other() -> None:
    recording = silent()
    assert labelled_differences(recording) == []
    one_less = altered(recording, LABELLED, 0, LabelledEvent, source="bootstrap-x-0")
    (missing,) = labelled_differences(one_less)
    assert missing.expected == "event 'e0' in labelled: its silence is a label"
    last = len(recording.log(LABELLED).records) - 1
    for change in ({"label": "yes"}, {"revision": 0}, {"labelled_ts": 1}):
        assert labelled_differences(altered(recording, LABELLED, last, LabelledEvent, **change))
    assert labelled_differences(silent("21s -> no"))


def test_what_stands_for_an_event_that_expired_may_be_absent(recording: Recording) -> None:
    identity = msgspec.structs.replace(recording.pipeline.pipeline, label_horizon=1)
    hasty = msgspec.structs.replace(recording, pipeline=msgspec.structs.replace(recording.pipeline, pipeline=identity))
    records = [r for n, r in enumerate(recording.log(LABELLED).records) if n != 0]
    gone = msgspec.structs.replace(hasty, logs=hasty.logs | {
        LABELLED.name: Log(records=records, bounds=hasty.log(LABELLED).bounds)})
    assert len(labelled_differences(gone)) == 1
    assert labelled_differences(row_changed(gone, expired=True, emitted=False)) == []
    assert isinstance(gone.rows.labels[0], LabelRow)
