"""The picture is a figure that plotly accepts, in which rows are rows and names are text."""

from typing import Any

import plotly.graph_objects as go
import pytest
from msgspec.structs import replace

from automl_stream.backtest import picture as pictures
from automl_stream.backtest.picture import picture, windows_a_column
from automl_stream.backtest.result import Result
from automl_stream.backtest.timeline import plain
from tests.backtest.results import result, with_detectors, without_truth


def traces(result: Result, kind: str, axis: str) -> list[dict[str, Any]]:
    return [trace for trace in picture(result)["data"] if (trace["type"], trace["yaxis"]) == (kind, axis)]


@pytest.mark.parametrize("made", [
    result(), without_truth(result()), replace(result(), alerts=[], decisions=[], swaps=[]),
    replace(result(), windows=[], alerts=[]), with_detectors(result()),
    result(names=[f"feature {k}" for k in range(128)]),
])
def test_plotly_accepts_it(made: Result) -> None:
    assert go.Figure(picture(made)).to_plotly_json()["data"]  # raises on any attribute or value that it does not know


def test_evidence_and_threshold_are_steps_from_the_first_row_of_a_window_to_its_last() -> None:
    threshold, evidence, alarms = traces(result(), "scatter", "y")
    assert threshold["x"] == evidence["x"] == [*range(200, 1_001, 100)]
    assert set(threshold["y"]) == {10.0}
    assert evidence["y"] == [0.5] * 4 + [40.0] * 5
    assert alarms["x"] == [600, 700, 800, 900]


def test_every_kind_of_event_has_its_line() -> None:
    lines = traces(result(), "scatter", "y2")
    assert [line["x"] for line in lines] == [[600, 900], [700, 800, 900, 1_000], [600] * 4, [700], [200, 800]]
    assert picture(result())["layout"]["yaxis2"]["ticktext"] == [
        "documented", "alert", "began about", "training", "new model"]
    assert lines[0]["hovertext"] == ["documented: row 600<br>alert after 100 rows", "documented: row 900<br>no alert"]


def test_firings_have_a_line_where_there_are_detectors() -> None:
    made = picture(with_detectors(result()))
    place = made["layout"]["yaxis2"]["ticktext"].index("detector")
    line = [trace for trace in made["data"] if trace["yaxis"] == "y2"][place]
    assert line["x"] == [350, 700]
    assert line["hovertext"] == ["detector: row 350<br>ddm: the loss rose", "detector: row 700<br>adwin: the loss fell"]


def test_documented_changes_have_neither_line_nor_upright_where_they_are_unknown() -> None:
    layout = picture(without_truth(result()))["layout"]
    assert layout["yaxis2"]["ticktext"][0] == "alert"
    assert layout["shapes"] == []


def test_the_strongest_feature_is_on_top_in_thresholds() -> None:
    heat = traces(result(names=("z", "b", "c")), "heatmap", "y3")[0]
    assert picture(result(names=("z", "b", "c")))["layout"]["yaxis3"]["ticktext"] == ["z", "c", "b"]
    assert heat["z"][0] == [0.0] * 4 + [4.0] * 4
    assert heat["x"] == [*range(200, 1_001, 100)]
    assert heat["hovertext"][0][-1].endswith("alarm")
    assert heat["hovertext"][1][-1].endswith("uncalibrated: it cannot alarm")


def test_a_dot_stands_where_a_feature_alarmed() -> None:
    dots = traces(result(), "scatter", "y3")[0]
    assert list(zip(dots["x"], dots["y"], strict=True)) == [(650, 0), (750, 0), (850, 0), (950, 0)]


def test_too_many_windows_share_columns_and_no_alarm_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_CELLS", 6)
    assert windows_a_column(result().windows) == 3
    heat = traces(result(), "heatmap", "y3")[0]
    assert heat["x"] == [200, 500, 800, 1_000]
    assert heat["z"][0] == [0.0, 4.0, 4.0]
    assert traces(result(), "scatter", "y3")[0]["x"] == [650, 900]
    assert traces(result(), "scatter", "y")[2]["x"] == [600, 800]


def test_panels_lie_one_below_the_other_and_keep_their_pixels() -> None:
    layout = picture(result(names=[f"feature {k}" for k in range(128)]))["layout"]
    (_, top), (strip_low, strip_top), (low, _) = (layout[f"yaxis{k}"]["domain"] for k in ("", "2", "3"))
    assert (top, low) == (1.0, 0.0)
    assert strip_low > layout["yaxis3"]["domain"][1]
    assert strip_top < layout["yaxis"]["domain"][0]
    assert (strip_top - strip_low) * (layout["height"] - 72) == pytest.approx(5 * 28)


@pytest.mark.parametrize(("name", "shown"), [
    ("a", "a"), ("<b>x</b>", "&lt;b&gt;x&lt;/b&gt;"), ("a & b", "a &amp; b"),
    ("sensor_temperature_inlet_1", "sensor_t…e_inlet_1"), ("sensor_temperature_inlet_2", "sensor_t…e_inlet_2"),
])
def test_names_are_short_text(name: str, shown: str) -> None:
    assert picture(result(names=(name,)))["layout"]["yaxis3"]["ticktext"] == [shown]


def test_a_long_sentence_is_broken_into_lines_that_fit_a_phone() -> None:
    assert max(map(len, plain("word " * 50 + "w" * 200).split("<br>"))) <= 46
