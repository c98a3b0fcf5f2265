"""A backtest says what the services would have said, each time the same, and its figures mean what they are called."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from automl_stream.backtest.replay import Plan, backtest
from automl_stream.backtest.result import Result
from automl_stream.wrong_use import WrongUse
from producers.replay import lockstep_rows
from producers.rows import Row
from schemas.pipeline import Pipeline, load_pipeline
from tests.backtest.conftest import CHANGE, ROWS, TRAINED, Run, payments, rows_of
from trainer.errors import UnusableRows

DELAY = 400  # rows
YEAR = 365 * 86_400_000


def test_it_says_the_same_twice_even_what_a_clock_that_only_counts_makes_of_the_cost(run: Run, quick: Result) -> None:
    assert run(payments()) == quick


def test_two_policies_differ_and_the_first_model_alone_is_the_same_in_both(quick: Result, run: Run) -> None:
    other = run(payments(retraining={"windows": [500]}, drift={"false_alarms": "1 in 1000000000 windows"}),
                policy="calm")
    assert (other.policy, quick.policy) == ("calm", "default")
    assert other.decisions != quick.decisions
    assert len(other.alerts) < len(quick.alerts)
    assert other.accuracy_frozen == quick.accuracy_frozen


def test_without_refreshes_and_alerts_the_first_model_stays_and_is_the_frozen_one(still: Result, quick: Result) -> None:
    assert (still.alerts, still.decisions, still.retrainings, still.promotions) == ([], [], 0, 0)
    assert [(swap.row, swap.version, swap.reason) for swap in still.swaps] == [(TRAINED, "1", "bootstrap")]
    assert still.accuracy == still.accuracy_frozen == quick.accuracy_frozen
    assert quick.accuracy != quick.accuracy_frozen


def test_the_change_is_found_after_it_happened_and_dated_near_it(quick: Result) -> None:
    first = quick.alerts[0]
    assert CHANGE < first.row < CHANGE + 900
    assert abs(first.onset_row - CHANGE) <= 300
    assert all(window.evidence > window.threshold for window in quick.windows if window.alarm)
    assert [window.start for window in quick.windows if window.alarm] == [alert.window_start for alert in quick.alerts]


def test_every_row_is_in_one_window_and_is_counted_in_it(quick: Result) -> None:
    borders = [TRAINED, *(window.end_row for window in quick.windows)]
    assert [window.first_row for window in quick.windows] == borders[:-1]
    assert borders[-1] == quick.rows == ROWS
    assert [window.rows for window in quick.windows] == [w.end_row - w.first_row for w in quick.windows]
    assert {window.reference_row for window in quick.windows} == {0}


def test_rounds_promotions_and_swaps_are_counted_from_the_decisions(quick: Result) -> None:
    verdicts = [decision.verdict for decision in quick.decisions]
    assert quick.retrainings == verdicts.count("trained")
    assert quick.promotions == verdicts.count("promoted") == len(quick.swaps) - 1
    assert [swap.version for swap in quick.swaps] == [str(number + 1) for number in range(len(quick.swaps))]
    assert (quick.cost.rows_scored, quick.dead_letters) == (ROWS - TRAINED, 0)
    assert 0 < quick.cost.fit_seconds < quick.training_seconds < quick.cost.seconds


def test_a_model_serves_from_the_block_after_the_labels_that_made_it(quick: Result) -> None:
    made_at = [decision.row for decision in quick.decisions if decision.verdict == "promoted"]
    assert [swap.row for swap in quick.swaps[1:]] == made_at
    assert set(made_at) <= {*range(TRAINED, ROWS, lockstep_rows(payments().retraining)), ROWS}


def test_labels_that_come_after_the_last_row_change_no_answer(run: Run, still: Result, quick: Result) -> None:
    late = run(payments(), label_delay_rows=ROWS)
    assert late.accuracy == late.accuracy_frozen == still.accuracy
    assert all(decision.row == ROWS for decision in late.decisions if decision.verdict == "trained")
    assert late.retrainings > 0
    assert late.alerts == quick.alerts


def test_a_delayed_label_delays_what_is_learned_from_it(run: Run, quick: Result) -> None:
    late = run(payments(), label_delay_rows=DELAY)
    delayed, at_once = ([d.row for d in result.decisions if d.trigger == "refresh" and d.verdict == "trained"]
                        for result in (late, quick))
    assert delayed[:3] == [row + DELAY for row in at_once[:3]]


def test_a_row_that_does_not_fit_is_a_dead_letter_and_no_more(run: Run) -> None:
    pipeline = payments()

    def spoilt() -> Iterator[Row]:
        for row in rows_of(pipeline, 900):
            features = row.features | {"amount": "much"}
            yield replace(row, features=features, problem="no number") if row.number == 700 else row

    result = run(pipeline, spoilt())
    assert (result.rows, result.dead_letters, result.cost.rows_scored) == (900, 1, 900 - TRAINED - 1)
    assert sum(window.rows for window in result.windows) == 900 - TRAINED - 1


def test_numbers_are_judged_by_their_mean_absolute_error(run: Run) -> None:
    pipeline = pricing(families=("logistic",), windows=("all",), refresh_labels=200)
    result = run(pipeline, rows_of(pipeline, 1_000, "pricing"), 300)
    assert (result.accuracy, result.accuracy_frozen) == (None, None)
    assert result.mae is not None
    assert result.mae_frozen is not None
    assert result.mae != result.mae_frozen


def pricing(**retraining: object) -> Pipeline:
    pipeline = load_pipeline(Path("pipelines/pricing.toml"))
    return replace(pipeline, retraining=replace(pipeline.retraining, **retraining))


def test_rows_of_any_time_need_no_replay_table_where_it_is_said_when_they_begin(run: Run) -> None:
    pipeline = payments()
    rows = [replace(row, ts=row.ts - 40 * YEAR) for row in rows_of(pipeline, 1_600) if isinstance(row.ts, int)]
    plan = {"start": rows[0].ts, "label_delay_rows": 100}
    result = run(replace(pipeline, replay=None), iter(rows), **plan)
    assert result == run(pipeline, iter(rows), **plan)
    assert sum(window.rows for window in result.windows) == 1_600 - TRAINED
    assert result.promotions


def test_progress_counts_the_rows_of_the_file_to_its_last() -> None:
    pipeline, heard = payments(), []
    backtest(rows_of(pipeline, 900), pipeline, Plan(rows_trained=TRAINED), heard.append)
    block = lockstep_rows(pipeline.retraining)
    assert heard == [*range(TRAINED + block, 900, block), 900]


@pytest.mark.parametrize(("rows", "trained", "error", "words"), [
    (400, 0, UnusableRows, "no row"),
    (400, 400, WrongUse, "nothing to replay"),
    (400, 500, WrongUse, "nothing to replay"),
])
def test_rows_that_leave_nothing_to_train_on_or_to_replay_are_refused(
        run: Run, rows: int, trained: int, error: type[Exception], words: str) -> None:
    pipeline = payments()
    with pytest.raises(error, match=words):
        run(pipeline, rows_of(pipeline, rows), trained)


def test_a_third_class_is_refused_where_the_task_has_two(run: Run) -> None:
    pipeline = payments()
    odd = (replace(row, label="maybe") if row.number == 400 else row for row in rows_of(pipeline, 900))
    with pytest.raises(UnusableRows, match="row 400: the label 'maybe' is a third class"):
        run(pipeline, odd)
