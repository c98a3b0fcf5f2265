"""Windows close when every partition is final for them or idle."""

from automl_stream.verify.reports import Closed, Closing
from schemas.messages import OpenWindow, PartitionWatermark, WindowCounts


def counts(partition: int, start: int, rows: int, epoch: int = 0) -> WindowCounts:
    window = OpenWindow(start=start, profile=f"p{epoch}", profile_epoch=epoch, rows=rows, counts=[rows])
    return WindowCounts(partition=partition, covered=rows, window=window)


def stands(partition: int, watermark: int | None, *, idle: bool = False) -> PartitionWatermark:
    return PartitionWatermark(partition=partition, covered=0, watermark=watermark, idle=idle)


def closed(*records: WindowCounts | PartitionWatermark) -> dict[tuple[int, str], Closed]:
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


def test_nothing_closes_while_all_are_idle() -> None:
    assert closed(counts(0, 0, 3), stands(0, 10, idle=True), stands(1, 10, idle=True)) == {}


def test_the_first_record_of_a_key_counts() -> None:
    found = closed(counts(0, 0, 3), counts(0, 0, 5), stands(1, 10), stands(0, 10))
    assert found[0, "p0"].rows == 3


def test_only_the_newest_profile_of_a_window_is_reported() -> None:
    found = closed(counts(0, 0, 3), counts(1, 0, 4, epoch=1), counts(0, 10, 5), stands(0, 20), stands(1, 20))
    assert found == {(0, "p1"): Closed(rows=4, covered={"1": 4})}
