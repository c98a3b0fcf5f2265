"""Latency counts from when an event was due."""

import numpy as np
import pytest

from bench.open_loop import Answers, Schedule, percentiles


def answers(due: list[float], sent: list[float], arrived: list[float]) -> Answers:
    return Answers(due=np.array(due), sent=np.array(sent), arrived=np.array(arrived))


def test_events_are_due_evenly_in_ticks_of_a_millisecond() -> None:
    assert Schedule(rate=1_000, seconds=0.004).due() == pytest.approx([0, 0.001, 0.002, 0.003])
    assert Schedule(rate=4_000, seconds=0.002).due() == pytest.approx([0] * 4 + [0.001] * 4)
    assert Schedule(rate=5_000, seconds=2).count == 10_000
    assert Schedule(rate=5_000, seconds=2).due()[-1] == pytest.approx(1.999)


def test_a_stalled_sender_does_not_hide_its_wait() -> None:
    due = Schedule(rate=1_000, seconds=1).due()
    # Every send waits for the end of a stall of 200 ms; each answer then takes 1 ms.
    sent = np.where((due >= 0.4) & (due < 0.6), 0.6, due)
    seen = Answers(due=due, sent=sent, arrived=sent + 0.001)
    assert percentiles((seen.arrived - seen.sent) * 1_000)["p99_ms"] == pytest.approx(1)
    assert percentiles(seen.latencies())["p99_ms"] == pytest.approx(191)
    assert percentiles(seen.latencies())["p50_ms"] == pytest.approx(1)
    assert seen.sender_lag() == pytest.approx(200)


def test_percentiles_are_latencies_that_were_seen() -> None:
    seen = percentiles(np.arange(1, 1_001, dtype=np.float64))
    assert seen == {"p50_ms": 500, "p99_ms": 990, "p999_ms": 999}
    assert percentiles(np.array([7.0])) == {"p50_ms": 7, "p99_ms": 7, "p999_ms": 7}


def test_events_of_the_warm_up_do_not_count() -> None:
    seen = answers([5.0, 6.0, 7.0], [5.0, 6.0, 7.0], [9.0, 6.5, 7.25])
    assert seen.latencies(warm_up=1.0).tolist() == [500, 250]
