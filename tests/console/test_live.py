"""Rates are what topics grew by in the last seconds, and no restart of a topic or of the console makes them up."""

from console.live import Sample, history, rates


def sample(at: float, events: int) -> Sample:
    return Sample(at=at, ends={"events": events}, lags={})


def test_a_rate_is_over_the_last_ten_seconds() -> None:
    assert rates([sample(0, 0), sample(10, 1_000), sample(20, 1_200)]) == {"events": 20.0}


def test_one_look_has_no_rate() -> None:
    assert rates([sample(0, 10)]) == {}
    assert history([sample(0, 10)]) == []


def test_the_history_is_from_look_to_look() -> None:
    assert history([sample(0, 0), sample(2, 10), sample(4, 10)]) == [5.0, 0.0]


def test_a_topic_that_was_not_there_before_has_grown_by_nothing_that_is_known() -> None:
    assert rates([Sample(at=0, ends={}, lags={}), sample(10, 50)]) == {"events": 0.0}
