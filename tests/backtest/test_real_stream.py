"""A real stream: the first alert comes where elec2 begins to change, and not before."""

from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from automl_stream.backtest.replay import Plan, backtest
from producers.files import file_rows, open_table
from schemas.pipeline import load_pipeline

DATA = Path(__file__).parents[3] / "shared" / "data"
FIRST_MOVE = 17_424  # vicprice, vicdemand and transfer are constant up to here
WINDOW = 200


def test_the_first_alert_on_elec2_is_the_window_in_which_its_constants_begin_to_move() -> None:
    pipeline = load_pipeline(Path("pipelines/elec2.toml"))
    table = open_table(DATA / "elec2.csv.gz")
    quick = replace(pipeline.retraining, families=("lightgbm",), refresh_labels=0, min_new_labels=2_000)
    pipeline = replace(pipeline, retraining=quick)
    rows = islice(file_rows(table, pipeline), FIRST_MOVE + 2 * WINDOW)
    result = backtest(rows, pipeline, Plan(rows_trained=table.rows // 5), lambda _: None)
    first = result.alerts[0]
    assert FIRST_MOVE < first.row <= FIRST_MOVE + WINDOW + 20
    assert {"vicprice", "vicdemand", "transfer"} == set(first.features)
    (window,) = [window for window in result.windows if window.start == first.window_start]
    assert window.first_row <= FIRST_MOVE < window.end_row
    assert first.onset_row == window.first_row
    assert not any(window.alarm for window in result.windows if window.end_row <= FIRST_MOVE)
