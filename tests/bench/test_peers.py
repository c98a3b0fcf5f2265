"""What other tools answer is read as what it says."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.contenders import detectors, panel
from bench.contenders.windows import Watched, answer, read_answer
from bench.decisions import peers
from bench.decisions.peers import Case
from bench.decisions.streams import CHANGES


def watched(windows: int = 3, shift: float = 0.0, rate: float = 0.0) -> Watched:
    """Two features, of which the second moves in the windows."""
    rng = np.random.default_rng(0)
    live = rng.normal([0, shift], 1, size=(windows, 100, 2))
    return Watched(reference=rng.normal(size=(500, 2)), before=rng.normal(size=(300, 2)), windows=live, total=2,
                   rate=rate)


def test_an_answer_arrives_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "0.npz"
    watched(rate=0.01).write(path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{path}\n"))
    monkeypatch.setattr(sys, "argv", ["", "stub"])
    answer(lambda each: {"rows": each.windows[:, 0] + each.rate, "total": np.full((3, 2), float(each.total))})
    assert capsys.readouterr().out == f"{path}\n"
    found = read_answer(path, "stub")
    assert np.array_equal(found["rows"], watched().windows[:, 0] + 0.01)
    assert (found["total"] == 2).all()


def test_rivers_detectors_fire_at_the_feature_that_jumps() -> None:
    found = detectors.judge(watched(windows=2, shift=3, rate=0.01))
    assert set(found) == {"adwin", "kswin", "adwin corrected", "kswin corrected"}
    for name in ("adwin", "adwin corrected", "kswin corrected"):
        assert found[name][0].tolist() == [0, 1], name
    assert found["kswin"][0, 1] == 1
    assert set(detectors.judge(watched(windows=1))) == {"adwin", "kswin"}


def test_every_contender_is_asked_about_every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "CONTENDERS", (panel.OWN,))
    steps: list[None] = []
    found = panel.ask([watched(windows=1), watched(windows=1, shift=3)], lambda: steps.append(None))
    assert [each["adwin"].tolist() for each in found] == [[[0, 0]], [[0, 1]]]
    assert len(steps) == 2


def test_a_contender_that_fails_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "CONTENDERS", ("environment.nobody",))
    monkeypatch.setattr(panel, "python_of", lambda _: sys.executable)
    with pytest.raises(subprocess.CalledProcessError):
        panel.ask([watched()], lambda: None)


def test_ours_alarms_at_the_feature_that_moves() -> None:
    assert peers.ours(watched()).tolist() == [[0, 0]] * 3
    assert peers.ours(watched(shift=1)).tolist() == [[0, 1]] * 3


def test_half_of_the_columns_counts_those_that_do_not_change_too() -> None:
    one = Watched(reference=np.zeros((500, 1)), before=np.zeros((300, 1)), windows=np.zeros((2, 100, 1)), total=4)
    unchanged = {"evidently": np.array([[1.0, 0.0], [1.0, 2.0]])}  # of the first column, of the three others
    found = peers.alarms(one, {"evidently": np.array([[1.0], [0.0]])}, unchanged)
    assert found["evidently share"].tolist() == [0, 1]
    assert found["evidently"].tolist() == [1, 0]


def test_a_delay_is_the_median_first_alarm_and_more_than_was_looked_at_where_missed() -> None:
    first, third, never = np.eye(3)[0], np.eye(3)[2], np.zeros(3)
    assert peers.delay([first, third, third]) == 3
    assert peers.delay([first, never, never]) == "> 3"


def test_the_tables_have_a_row_a_case_and_a_change() -> None:
    case = Case(stream="independent", features=2)
    alarms = {name: np.array([0.0, 0.5]) for name in peers.TITLES if name != "alibi cvm"}
    row, = peers.false_alarms([(case, alarms), (case, alarms)]).rows
    assert row[:4] == ("independent", 2, 1_000, 4)
    assert row[4:] == tuple("" if name == "alibi cvm" else "50.0%" for name in peers.TITLES)
    table = peers.delays([dict.fromkeys((None, *CHANGES), alarms)])
    assert [row[0] for row in table.rows[2:]] == [change.name for change in CHANGES]
    assert table.rows[0][1:] == ("50.0%",) * len(peers.AT_DEFAULTS)
    assert table.rows[1][1:] == tuple("" if name == "evidently share" else "25.0%" for name in peers.AT_DEFAULTS)
    assert {value for row in table.rows[2:] for value in row[1:]} == {2}


def test_changes_are_put_into_the_windows_alone() -> None:
    found = peers.changed(0, patience=2)
    unchanged = found[None]
    for change in CHANGES:
        each = found[change]
        assert each.windows.shape == (2, 100, change.features)
        assert each.total == unchanged.windows.shape[2]
        assert np.array_equal(each.before, unchanged.before[:, :change.features])
        assert not np.array_equal(each.windows, unchanged.windows[:, :, :change.features])
