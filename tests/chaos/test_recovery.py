"""Recovery is counted from the hit to the next output of what the worker had."""

import numpy as np
import pytest

from tests.chaos.fleet import Assigned
from tests.chaos.recovery import Hit, Outage, longest_gap, p95, recoveries

WRITTEN = {0: np.array([1.0, 2.0, 9.0, 30.0]), 1: np.array([1.0, 2.0, 3.0, 4.0])}


def assigned(at: float, worker: str, *partitions: int) -> Assigned:
    return Assigned(at=at, worker=worker, partitions=partitions)


def test_each_partition_of_the_worker_counts_from_the_hit_to_its_next_output() -> None:
    words = [assigned(0, "a", 0, 1), assigned(0, "b")]
    assert recoveries([Hit(at=2.5, worker="a")], words, WRITTEN) == [6.5, 0.5]
    assert recoveries([Hit(at=2.5, worker="b"), Hit(at=2.5, worker="c")], words, WRITTEN) == []


def test_the_last_word_before_the_hit_says_what_the_worker_had() -> None:
    words = [assigned(2.6, "a", 0, 1), assigned(0, "a", 0, 1), assigned(2, "a", 1)]
    assert recoveries([Hit(at=2.5, worker="a")], words, WRITTEN) == [0.5]


def test_the_time_without_a_broker_is_not_the_workers() -> None:
    words = [assigned(0, "a", 0)]
    outages = [Outage(start=1, end=4), Outage(start=8, end=20), Outage(start=25)]
    assert recoveries([Hit(at=2.5, worker="a")], words, WRITTEN, outages) == [4.0]
    assert recoveries([Hit(at=9, worker="a")], words, WRITTEN, outages) == [5.0]


def test_what_never_came_back_is_left_to_the_oracle() -> None:
    assert recoveries([Hit(at=31, worker="a")], [assigned(0, "a", 0)], WRITTEN) == []


def test_the_gap_and_the_percentile_of_nothing_are_zero() -> None:
    assert longest_gap(WRITTEN) == 21.0
    assert longest_gap({0: np.array([])}) == 0.0
    assert p95([]) == 0.0
    assert p95([float(k) for k in range(101)]) == pytest.approx(95.0)
