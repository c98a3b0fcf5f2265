"""Real streams: an alarm is told with its window, its rows and its features."""

import numpy as np
import pytest
from rich.progress import Progress

from bench.decisions import real_streams
from bench.decisions.real_streams import RULES, Source, load, others, verdicts


def made_up(shift: float = 0.0) -> Source:
    """500 rows of reference, 10 windows; the second feature moves in the third window."""
    rows = np.random.default_rng(0).normal(size=(2_500, 2))
    rows[900:, 1] += shift
    return Source(name="made up", features=("still", "moving"), rows=rows, documented=(900,))


def test_a_stream_is_its_pipelines_features_and_its_documented_changes() -> None:
    gas = load("gas_drift")
    assert gas.rows.shape == (6_697, 128)
    assert gas.documented == (445, 1_689, 3_275, 3_436, 3_633, 5_933, 6_227)
    assert gas.reference.shape == (1_339, 128)
    assert gas.windows.shape == (26, 200, 128)


def test_an_alarm_is_found_in_its_window_by_ours_and_by_the_other_rules() -> None:
    source = made_up(shift=1)
    assert [verdict.alarm for verdict in verdicts(source)] == [False] * 2 + [True] * 8
    found = others(source)
    assert tuple(found) == RULES
    assert all(alarms[2:].all() for alarms in found.values())


def test_shuffled_rows_are_the_same_rows_without_their_order() -> None:
    source = made_up(shift=1)
    shuffled = source.shuffled()
    assert np.array_equal(np.sort(shuffled.rows, axis=0), np.sort(source.rows, axis=0))
    assert not any(verdict.alarm for verdict in verdicts(shuffled))


def test_the_tables_say_where_and_how_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_streams, "NAMES", ("moved", "quiet"))
    monkeypatch.setattr(real_streams, "load", lambda name, _: made_up(shift=float(name == "moved")))
    first, counted = real_streams.measure(Progress(disable=True))
    assert first.rows[0] == ("made up", 2, 0, 10, 8, 3, "900 to 1,099", "moving", "regimes begin at rows 900")
    assert first.rows[1][4:8] == (0, None, "", "")
    assert counted.rows[0][:3] == ("moved", 10, "8, first 3")
    assert counted.rows[1][:3] == ("moved, shuffled", 10, "0")
