"""Windows close when every partition is final for them or idle."""

import msgspec

from automl_stream.topic_log import Log
from automl_stream.verify.difference import Seen
from automl_stream.verify.reading import read
from automl_stream.verify.recording import Recording
from automl_stream.verify.reports import Closed, Closing, check_reports, first_partitions
from schemas.codec import encode
from schemas.messages import OpenWindow, PartitionCount, PartitionWatermark, WindowCounts, WindowRecord
from schemas.topics import EVENTS, WINDOW_COUNTS


def counts(partition: int, start: int, rows: int, epoch: int = 0) -> WindowCounts:
    window = OpenWindow(start=start, profile=f"p{epoch}", profile_epoch=epoch, rows=rows, counts=[rows])
    return WindowCounts(partition=partition, covered=rows, window=window)


def stands(partition: int, watermark: int | None, *, idle: bool = False) -> PartitionWatermark:
    return PartitionWatermark(partition=partition, covered=0, watermark=watermark, idle=idle)


def closed(*records: WindowRecord) -> dict[tuple[int, str], Closed]:
    closing = Closing(partitions=2, size=10)
    for record in records:
        closing.take(record)
    return closing.closed


def test_a_window_waits_for_the_slowest_partition() -> None:
    first = (counts(0, 0, 3), counts(1, 0, 4), stands(0, 10), stands(1, 9))
    assert closed(*first) == {}
    assert closed(*first, stands(1, 10)) == {(0, "p0"): Closed(rows=7, covered={"0": 3, "1": 4})}


def test_an_idle_partition_is_not_waited_for_and_what_it_brings_later_is_late() -> None:
    found = closed(counts(0, 0, 3), stands(1, None, idle=True), stands(0, 10), counts(1, 0, 4), stands(1, 10))
    assert found == {(0, "p0"): Closed(rows=3, covered={"0": 3})}


def test_partitions_that_are_added_are_waited_for_from_then_on() -> None:
    before = (counts(0, 0, 3), stands(0, 10), stands(1, 10), PartitionCount(partitions=3, before=2))
    after = (counts(0, 10, 4), stands(0, 20), stands(1, 20))
    assert closed(*before, *after) == {(0, "p0"): Closed(rows=3, covered={"0": 3})}
    found = closed(*before, *after, counts(2, 10, 5), stands(2, 20))
    assert found[10, "p0"] == Closed(rows=9, covered={"0": 4, "2": 5})


def test_kafka_says_how_many_partitions_there_were_at_first_unless_the_log_does(recording: Recording) -> None:
    assert first_partitions(read(recording)) == 2
    grown = with_more_partitions(recording)
    assert len(grown.log(EVENTS).bounds) == 4
    assert first_partitions(read(grown)) == 2
    assert list(check_reports(read(grown), Seen())) == []


def with_more_partitions(recording: Recording) -> Recording:
    """Two empty partitions more, after all that was said."""
    events, windows = recording.log(EVENTS), recording.log(WINDOW_COUNTS)
    end = windows.bounds[0][1]
    value = encode(PartitionCount(partitions=4, before=2))
    word = msgspec.structs.replace(windows.records[-1], offset=end, value=value)
    return msgspec.structs.replace(recording, logs=recording.logs | {
        EVENTS.name: Log(records=events.records, bounds=events.bounds | {2: (0, 0), 3: (0, 0)}),
        WINDOW_COUNTS.name: Log(records=[*windows.records, word], bounds={0: (0, end + 1)})})


def test_nothing_closes_while_all_are_idle() -> None:
    assert closed(counts(0, 0, 3), stands(0, 10, idle=True), stands(1, 10, idle=True)) == {}


def test_the_first_record_of_a_key_counts() -> None:
    found = closed(counts(0, 0, 3), counts(0, 0, 5), stands(1, 10), stands(0, 10))
    assert found[0, "p0"].rows == 3


def test_only_the_newest_profile_of_a_window_is_reported() -> None:
    found = closed(counts(0, 0, 3), counts(1, 0, 4, epoch=1), counts(0, 10, 5), stands(0, 20), stands(1, 20))
    assert found == {(0, "p1"): Closed(rows=4, covered={"1": 4})}
