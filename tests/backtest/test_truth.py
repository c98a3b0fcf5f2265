"""An alert is false where no documented change explains it; a change's delay ends with the first alert of it."""

from pathlib import Path

import pytest

from automl_stream.backtest.result import Alert, Window
from automl_stream.backtest.truth import Truth, delays, false_alarms, load_truth, read_truth
from producers.errors import UnusableFile
from producers.scenarios.changes import Change
from producers.scenarios.scenario import scenario
from producers.transfer import write_scenario


def window(first_row: int, reference_row: int = 0) -> Window:
    return Window(start=first_row * 1_000, first_row=first_row, end_row=first_row + 100, rows=100, alarm=True,
                  evidence=20.0, threshold=10.0, sentence="", profile="p", reference_row=reference_row, features=[])


def alert(of: Window) -> Alert:
    return Alert(window_start=of.start, row=of.end_row + 5, kind="covariate", features=["a"], onset_row=of.first_row,
                 sentence="", alert_id=str(of.start))


def wrong(documented: list[int], *windows: Window) -> int:
    return false_alarms(Truth(documented=documented), [alert(w) for w in windows], windows)


def late(documented: list[int], *windows: Window) -> dict[int, int | None]:
    return delays(Truth(documented=documented), [alert(w) for w in windows], windows, range(200, 1_000))


def test_an_alert_before_the_change_is_false_and_one_whose_window_holds_it_is_not() -> None:
    assert wrong([450], window(300)) == 1
    assert wrong([450], window(400)) == 0
    assert wrong([450], window(700)) == 0
    assert wrong([], window(300), window(700)) == 2


def test_a_change_at_a_windows_end_or_a_references_beginning_explains_nothing() -> None:
    assert wrong([400], window(300)) == 1
    assert wrong([450], window(700, reference_row=450)) == 1
    assert wrong([450], window(700, reference_row=449)) == 0


def test_a_delay_runs_from_the_change_to_the_closing_of_the_first_alarming_window_that_holds_rows_of_it() -> None:
    assert late([450], window(300), window(400), window(500)) == {450: 55}
    assert late([450], window(500)) == {450: 155}


def test_a_change_is_missed_where_the_next_alert_is_of_the_one_after_it() -> None:
    assert late([450, 600], window(600)) == {450: None, 600: 105}
    assert late([450, 600]) == {450: None, 600: None}


def test_one_window_may_find_two_changes() -> None:
    assert late([520, 560], window(500)) == {520: 85, 560: 45}


def test_changes_among_the_rows_that_trained_are_not_to_be_found() -> None:
    assert late([100, 450], window(450)) == {450: 105}


def test_a_scenarios_truth_is_read_beside_its_file_and_says_so_where_nothing_changes(tmp_path: Path) -> None:
    changed, calm = tmp_path / "changed.csv", tmp_path / "calm.csv.gz"
    write_scenario(scenario("payments", 100, 0, (Change.parse("covariate@40-60"),)), changed)
    write_scenario(scenario("payments", 100, 0, ()), calm)
    assert read_truth(changed) == Truth(documented=[40, 60], kinds=[["covariate"], ["end of covariate"]])
    assert read_truth(calm) == Truth(documented=[], kinds=[])


def test_a_file_about_which_nobody_knows_has_no_truth(tmp_path: Path) -> None:
    assert read_truth(tmp_path / "plain.csv") is None
    (tmp_path / "plain.truth.json").write_text('{"documented": [], "note": "no documented points"}')
    assert read_truth(tmp_path / "plain.csv") is None
    (tmp_path / "plain.truth.json").write_text('{"documented": [7]}')
    assert read_truth(tmp_path / "plain.csv") == Truth(documented=[7])


def test_a_truth_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.truth.json"
    with pytest.raises(UnusableFile, match=r"odd\.truth\.json: cannot be read"):
        load_truth(path)
    path.write_text('{"documented": "nowhere"}')
    with pytest.raises(UnusableFile, match=r"odd\.truth\.json: is no truth file: .*documented"):
        load_truth(path)
