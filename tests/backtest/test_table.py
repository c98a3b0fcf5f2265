"""A person sees what each policy did, in one row."""

from io import StringIO

from msgspec.structs import replace
from rich.console import Console

from automl_stream.backtest.result import Result
from automl_stream.backtest.table import figures, guilty, show, trust
from tests.backtest.results import result, with_detectors, without_truth


def printed(*results: Result, width: int = 200) -> str:
    console = Console(file=StringIO(), width=width)
    show(results, console)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_a_row_holds_the_figures_of_its_policy() -> None:
    assert figures([result()]) == [{
        "policy": "default", "windows (in alarm)": "8 (4)", "alerts (false)": "4 (0)",
        "delay in rows (found)": "100 (1 of 2)", "trained": "1", "promoted (rolled back)": "1 (0)",
        "accuracy (frozen)": "0.9000 (0.8000)", "cost": "3 fits, 1.2 s"}]


def test_what_only_a_truth_tells_is_shown_only_where_it_is_known() -> None:
    row = figures([without_truth(result())])[0]
    assert row["alerts"] == "4"
    assert "delay in rows (found)" not in row
    both = figures([without_truth(result()), result()])
    assert both[0].keys() == both[1].keys()
    assert both[0]["alerts (false)"] == "4 (unknown)"


def test_changes_that_were_all_missed_have_no_delay() -> None:
    assert figures([replace(result(), delay_rows={600: None})])[0]["delay in rows (found)"] == "- (0 of 1)"


def test_regression_shows_the_mean_absolute_error() -> None:
    row = figures([replace(result(), accuracy=None, accuracy_frozen=None, mae=1.5, mae_frozen=3.25)])[0]
    assert row["mae (frozen)"] == "1.5 (3.25)"


def test_rows_without_labels_have_no_quality() -> None:
    assert figures([replace(result(), accuracy=None, accuracy_frozen=None)])[0]["accuracy (frozen)"] == "no labels"


def test_each_policy_is_a_row_and_its_alerts_follow() -> None:
    shown = printed(result(), replace(result(policy="patient"), alerts=[]))
    assert "tiny: 800 rows after the first 200" in shown
    assert "Alerts, policy default" in shown
    assert "patient: no alert." in shown


def test_no_figure_is_cut_in_a_terminal_of_80_letters() -> None:
    made = replace(result(), retrainings=1_234, promotions=1_234, training_seconds=1_234.5)
    shown = printed(made, width=80)
    assert "…" not in shown
    assert all(word in shown.split() for cell in figures([made])[0].values() for word in cell.split())


def test_a_name_is_no_markup() -> None:
    assert "[red]x[/red]" in printed(result(names=("[red]x[/red]", "b")))


def test_only_the_first_alerts_are_printed_and_the_rest_is_counted() -> None:
    many = replace(result(), alerts=result().alerts * 4)
    assert "and 6 more: --json and --html have all" in printed(many)


def test_only_the_strongest_features_are_named() -> None:
    assert guilty(["a", "b", "c"]) == "a, b, c"
    assert guilty(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_beside_each_detector_stands_how_often_it_is_wrong_or_that_nobody_knows() -> None:
    first, second = trust(with_detectors(result()))
    assert first == {"detector": "ddm", "may alert": "yes", "fired": "1",
                     "false alarms in 1,000 rows (at most)": "2.5 (12)",
                     "measured on": "400: rows before the first documented change"}
    assert second == {"detector": "adwin", "may alert": "no", "fired": "1",
                      "false alarms in 1,000 rows (at most)": "not measured",
                      "measured on": "nothing: no row has a usable loss"}
    shown = printed(with_detectors(result()))
    assert "Detectors, policy default" in shown
    assert "detector ddm" in shown
    assert "Detectors" not in printed(result())
