"""The profile's own arithmetic, and that it still finds the parts that it times."""

from threading import Lock

from bench.profile import middle
from bench.profiled_worker import STAGES, timed


def test_medians_are_by_name_the_largest_first_and_what_a_round_lacks_is_nothing() -> None:
    assert list(middle([{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 4.0}, {"a": 2.0}]).items()) == [("b", 4.0), ("a", 2.0)]


def test_every_stage_is_a_part_of_the_worker() -> None:
    assert all(callable(getattr(owner, name)) for owner, name in STAGES.values())


def test_a_clock_changes_nothing_of_a_part_but_notes_its_time() -> None:
    seconds = {"sum": 1.0}
    assert timed(sum, "sum", seconds, Lock())(range(1_000_000)) == 499_999_500_000
    assert seconds["sum"] > 1.0
