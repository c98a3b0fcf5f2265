"""Real streams: windows of 200 rows, the first fifth as reference, one false alarm in 1,000 windows."""

from collections.abc import Callable

import numpy as np
import pytest

from drift.decision import DecisionSettings
from drift.profile import ReferenceProfile
from drift.verdict import Verdict

Profiled = Callable[..., ReferenceProfile]
Watched = Callable[..., list[Verdict]]
Stream = Callable[[str, str], tuple[list[str], np.ndarray]]

SETTINGS = DecisionSettings(budget_windows=1000)
WINDOW = 200
STREAMS = [("elec2", "date"), ("bike_sharing", "dteday"), ("noaa_weather", "")]


@pytest.fixture
def source(request: pytest.FixtureRequest, stream: Stream) -> tuple[list[str], np.ndarray]:
    """Names and rows of the stream the test is parametrised with."""
    return stream(*request.param)


@pytest.mark.parametrize(
    ("source", "first", "moved"),
    [
        (STREAMS[0], 42, {"vicprice", "vicdemand", "transfer"}),  # all constant until row 17,424
        (STREAMS[1], 26, {"yr"}),
        (STREAMS[2], 24, {"feat_4"}),
    ],
    indirect=["source"],
)
def test_the_first_alarm_is_where_the_stream_changes(
    profiled: Profiled, watched: Watched, source: tuple[list[str], np.ndarray], first: int, moved: set[str]
) -> None:
    names, rows = source
    reference = len(rows) // 5
    verdicts = watched(profiled(rows[:reference], names), SETTINGS, rows[reference:], WINDOW)
    alarms = [window for window, verdict in enumerate(verdicts, start=1) if verdict.alarm]
    assert alarms[0] == first
    assert {feature.name for feature in verdicts[first - 1].features if feature.alarm} == moved


def test_the_same_streams_shuffled_never_alarm(profiled: Profiled, watched: Watched, stream: Stream) -> None:
    windows = 0
    for name, clock in STREAMS:
        rows = np.random.default_rng(0).permutation(stream(name, clock)[1])
        reference = len(rows) // 5
        verdicts = watched(profiled(rows[:reference]), SETTINGS, rows[reference:], WINDOW)
        assert not any(verdict.alarm for verdict in verdicts)
        windows += len(verdicts)
    assert windows == 322
