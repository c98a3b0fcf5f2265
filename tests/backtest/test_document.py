"""What a program reads of a backtest keeps its keys."""

from msgspec.structs import replace

from automl_stream.backtest.document import document
from tests.backtest.results import result, without_truth

KEYS = {"policy", "pipeline", "rows", "rows_trained", "dead_letters", "windows", "windows_in_alarm", "alerts",
        "decisions", "swaps", "retrainings", "promotions", "rollbacks", "accuracy", "accuracy_frozen",
        "training_seconds", "cost", "false_alarms", "delay_rows", "firings", "detectors"}


def test_one_policy_is_one_object_with_the_documented_keys() -> None:
    figures = document([result()])
    assert figures.keys() == KEYS
    assert (figures["windows"], figures["windows_in_alarm"]) == (8, 4)
    assert figures["alerts"][0] == {
        "window_start": 600_000, "row": 700, "kind": "covariate", "features": ["a"], "onset_row": 600,
        "sentence": "Drift: a moved up.", "alert_id": "alert-600", "detector": ""}
    assert (figures["false_alarms"], figures["delay_rows"]) == (0, {600: 100, 900: None})


def test_regression_has_mae_in_place_of_accuracy() -> None:
    figures = document([replace(result(), accuracy=None, accuracy_frozen=None, mae=1.5, mae_frozen=3.0)])
    assert figures.keys() == KEYS - {"accuracy", "accuracy_frozen"} | {"mae", "mae_frozen"}


def test_what_only_a_truth_tells_is_null_without_one() -> None:
    figures = document([without_truth(result())])
    assert (figures["false_alarms"], figures["delay_rows"]) == (None, None)


def test_several_policies_are_told_apart_by_name() -> None:
    figures = document([result(), result(policy="patient")])
    assert figures == {"policies": {"default": document([result()]), "patient": document([result(policy="patient")])}}
