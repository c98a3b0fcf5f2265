"""Event time and rows of the file are translated into each other exactly."""

from hypothesis import given
from hypothesis import strategies as st

from automl_stream.backtest.watch import RowTimes


@given(st.lists(st.none() | st.integers(-50, 50)), st.integers(-60, 60))
def test_the_first_row_at_a_time_is_the_first_that_reached_it_whatever_came_out_of_order(
        seen: list[int | None], ts: int) -> None:
    times = RowTimes()
    for one in seen:
        times.add(one)
    reached = [row for row, one in enumerate(seen) if one is not None and one >= ts]
    assert times.first_at(ts) == (reached[0] if reached else len(seen))
    assert len(times) == len(seen)
