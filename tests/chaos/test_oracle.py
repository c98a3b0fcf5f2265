"""The oracle of a run finds each thing that is wrong, partition by partition; a checker is itself checked."""

from collections.abc import Callable

import msgspec
import pytest

from automl_stream.topic_log import Log
from automl_stream.verify.reading import read
from automl_stream.verify.recording import Recording
from schemas.codec import WATERMARK_HEADER, decode
from schemas.messages import DeadLetter, Prediction, WindowCounts
from schemas.topics import DEAD_LETTERS, EVENTS, PREDICTIONS, SCORE_STATE, WINDOW_COUNTS
from tests.chaos.oracle import Verdict, judge, write_times
from tests.verify.mutation import altered, dropped, repeated, with_records
from tests.verify.run import small_run

Mutation = Callable[[Recording], Recording]


@pytest.fixture
def recording() -> Recording:
    return small_run().recording()


def of_partition(recording: Recording, partition: int) -> Recording:
    """What is read of a run when one partition is judged."""
    logs = dict(recording.logs)
    for topic in (EVENTS, PREDICTIONS):
        log = recording.log(topic)
        logs[topic.name] = Log(records=[r for r in log.records if r.partition == partition],
                               bounds={partition: log.bounds[partition]})
    return msgspec.structs.replace(recording, logs=logs)


def verdict(recording: Recording, confirmed: Recording | None = None) -> Verdict:
    """Of all partitions; what Kafka confirmed is in `confirmed`."""
    total = Verdict()
    for partition in recording.log(EVENTS).bounds:
        log = (confirmed or recording).log(EVENTS)
        acknowledged = {(r.partition, r.offset): r.value for r in log.records
                        if r.partition == partition and WATERMARK_HEADER not in r.headers}
        total += judge(read(of_partition(recording, partition)), acknowledged)
    return total


def test_a_good_run_is_well_and_its_repeats_are_counted(recording: Recording) -> None:
    rows = sum(WATERMARK_HEADER not in r.headers for r in recording.log(EVENTS).records)
    found = verdict(recording)
    assert found == Verdict(rows=rows, repeats=found.repeats)
    assert found.repeats == 8  # a chunk of 8 was delivered and crashed before its checkpoint


def unrepeated(recording: Recording) -> int:
    """A prediction that was written once."""
    sources = [decode(r.value or b"", Prediction).source for r in recording.log(PREDICTIONS).records]
    return next(n for n, source in enumerate(sources) if sources.count(source) == 1)


def first_counts(recording: Recording) -> int:
    return next(n for n, r in enumerate(recording.log(WINDOW_COUNTS).records) if b'"type":"counts"' in (r.value or b""))


def test_a_dropped_prediction_is_a_loss(recording: Recording) -> None:
    found = verdict(dropped(recording, PREDICTIONS, unrepeated(recording)))
    assert found.lost == 1
    assert found.differences


def test_two_predictions_of_one_source_and_epoch_that_differ_are_a_conflict(recording: Recording) -> None:
    index = unrepeated(recording)
    found = verdict(repeated(recording, PREDICTIONS, index, Prediction, entity="another"))
    assert (found.lost, found.conflicting) == (0, 1)
    assert found.differences
    harmless = verdict(repeated(recording, PREDICTIONS, index, Prediction, scored_at=1))
    assert (harmless.conflicting, harmless.differences) == (0, 0)


def test_an_altered_score_is_found_by_rescoring(recording: Recording) -> None:
    index = unrepeated(recording)
    score = decode(recording.log(PREDICTIONS).records[index].value or b"", Prediction).score
    found = verdict(altered(recording, PREDICTIONS, index, Prediction, score=score + 0.001))
    assert (found.lost, found.conflicting, found.counts_exact) == (0, 0, True)
    assert [difference.check for difference in found.first] == ["scores"]


def one_more(recording: Recording) -> Recording:
    index = first_counts(recording)
    window = decode(recording.log(WINDOW_COUNTS).records[index].value or b"", WindowCounts).window
    counts = [window.counts[0] + 1, *window.counts[1:]]
    return altered(recording, WINDOW_COUNTS, index, WindowCounts, window=msgspec.structs.replace(window, counts=counts))


def no_window(recording: Recording) -> Recording:
    return dropped(recording, WINDOW_COUNTS, first_counts(recording))


def no_last_checkpoint(recording: Recording) -> Recording:
    return dropped(recording, SCORE_STATE, len(recording.log(SCORE_STATE).records) - 1)


@pytest.mark.parametrize("mutation", [one_more, no_window, no_last_checkpoint])
def test_a_change_of_the_counts_is_found(recording: Recording, mutation: Mutation) -> None:
    found = verdict(mutation(recording))
    assert not found.counts_exact
    assert found.lost == 0


def test_an_acknowledged_event_that_kafka_lost_or_changed_is_found(recording: Recording) -> None:
    records = recording.log(EVENTS).records
    assert [d.check for d in verdict(with_records(recording, EVENTS, records[1:]), recording).first][-1:] == [
        "acknowledged"]
    changed = msgspec.structs.replace(records[0], value=b"{}")
    assert "acknowledged" in {d.check for d in verdict(with_records(recording, EVENTS, [changed, *records[1:]]),
                                                        recording).first}
    doubled = with_records(recording, EVENTS, records[1:])
    assert "acknowledged" in {d.check for d in verdict(recording, doubled).first}


def test_a_good_event_that_was_blamed_for_a_kill_is_found(recording: Recording) -> None:
    found = verdict(altered(recording, DEAD_LETTERS, 0, DeadLetter, reason="poison"))
    assert [difference.check for difference in found.first] == ["blamed"]


def test_the_write_times_are_those_of_the_predictions(recording: Recording) -> None:
    records = recording.log(PREDICTIONS).records
    times = write_times(read(recording))
    assert sum(map(len, times.values())) == len(records)
    assert min(times[0]) == min(r.timestamp for r in records if r.partition == 0) / 1_000
