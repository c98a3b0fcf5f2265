import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.pace import BURST_SECONDS, Pace


class FakeTime:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@given(rate=st.floats(0.1, 100_000), events=st.integers(1, 500))
def test_events_go_out_at_the_rate(rate: float, events: int) -> None:
    time = FakeTime()
    pace = Pace(rate, time.clock, time.sleep)
    for _ in range(events):
        pace.take()
    assert time.slept == pytest.approx((events - 1) / rate)


def test_without_a_rate_nobody_waits() -> None:
    time = FakeTime()
    pace = Pace(None, time.clock, time.sleep)
    for _ in range(1_000):
        pace.take()
    assert time.slept == 0


def test_after_a_pause_only_a_short_burst_is_made_up_for() -> None:
    time = FakeTime()
    pace = Pace(1_000, time.clock, time.sleep)
    time.now += 60
    for _ in range(1_000):
        pace.take()
    assert time.slept == pytest.approx(1 - BURST_SECONDS)


def test_a_sleep_that_ends_early_is_repeated() -> None:
    time = FakeTime()
    pace = Pace(10, time.clock, lambda seconds: time.sleep(seconds / 3))
    for _ in range(11):
        pace.take()
    assert time.slept == pytest.approx(1.0)
