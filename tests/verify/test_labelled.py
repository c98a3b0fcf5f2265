"""What may be absent from the training log, and what may not."""

import msgspec

from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.labelled import check_labelled
from automl_stream.verify.reading import read
from automl_stream.verify.recording import Recording, RefusedRow
from schemas.messages import LabelledEvent
from schemas.topics import LABELLED, LABELS, PREDICTIONS, topic_name

from .mutation import altered, dropped, repeated, with_records, with_rows


def differences(recording: Recording) -> list[Difference]:
    return list(check_labelled(read(recording), Seen()))


def in_block(recording: Recording, size: int) -> Recording:
    """The first label belongs to a block of `size`, and its pair is not written."""
    first, *rest = recording.log(LABELS).records
    marked = msgspec.structs.replace(first, headers=(("block", f"0/{size}".encode()),))
    return dropped(with_records(recording, LABELS, [marked, *rest]), LABELLED, 0)


def test_a_block_that_still_waits_for_its_last_pairs_may_be_absent(recording: Recording) -> None:
    assert differences(in_block(recording, size=2)) == []


def test_a_complete_block_must_be_there(recording: Recording) -> None:
    (found,) = differences(in_block(recording, size=1))
    assert found.expected == "event 'e0' at revision 0 in labelled"


def test_the_same_pair_again_is_noted_and_is_no_difference(recording: Recording) -> None:
    seen = Seen()
    twice = repeated(recording, LABELLED, 3, LabelledEvent)
    assert list(check_labelled(read(twice), seen)) == []
    assert seen.notes == ["1 pairs of event and revision were written again"]


def test_rows_of_the_bootstrap_carry_no_prediction(recording: Recording) -> None:
    bootstrap = {"source": "bootstrap-abc-0", "event_id": "old", "model": None, "prediction": None, "score": None}
    assert differences(repeated(recording, LABELLED, 3, LabelledEvent, **bootstrap)) == []


def test_a_pair_joined_to_an_unknown_source_is_found(recording: Recording) -> None:
    (found, *_) = differences(altered(recording, LABELLED, 3, LabelledEvent, source="other-0-0"))
    assert found.where == "labelled 0/3"


def test_a_prediction_that_postgresql_refused_joins_nothing(recording: Recording) -> None:
    record = recording.log(PREDICTIONS).records[0]
    refused = RefusedRow(topic=topic_name("tiny", PREDICTIONS), partition=record.partition, position=record.offset,
                         value=record.value)
    rows = msgspec.structs.replace(recording.rows, refused=[refused])
    assert differences(dropped(with_rows(recording, rows), LABELLED, 0)) == []
