"""A recorded event is one row, whatever was delivered how often: then a history is worth what its file is."""

import random
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from automl_stream.backtest.recorded import DistinctEvents, Recorded, Served
from automl_stream.backtest.result import Result
from producers.labelled import labelled_rows
from producers.rows import Row
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from tests.backtest.conftest import Run, payments, rows_of
from tests.tiny import tiny_pipeline

TINY = tiny_pipeline()
TRAINED = 480


def labelled(event_id: str, label: str = "yes", revision: int = 0, ts: int = 5,
             features: Sequence[float | str | None] = (1.0, None, "x")) -> LabelledEvent:
    return LabelledEvent(event_id=event_id, entity="e", ts=ts, source="t-0-0", pipeline_digest="d", label=label,
                         features=list(features), revision=revision, labelled_ts=9)


def served(event_id: str, ts: int = 5, source: str = "t-0-0", a: float = 1.0) -> Served:
    return Served(event_id=event_id, entity="e", ts=ts, source=source, features=(a, None, "x"))


def recorded(*events: LabelledEvent | Served, since: int | None = None, last: int | None = None) -> Recorded:
    distinct = DistinctEvents(3, since)
    for event in events:
        if isinstance(event, Served):
            distinct.served(event)
        else:
            distinct.labelled(event)
    return distinct.recorded(last)


def labels(history: Recorded) -> dict[str, object]:
    return {event.event_id: event.label for event in history.events}


deliveries = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["yes", "no"]), st.integers(0, 2)), max_size=12)


@given(deliveries, st.randoms(use_true_random=False))
def test_the_order_and_number_of_deliveries_change_nothing(
        given_labels: list[tuple[str, str, int]], order: random.Random) -> None:
    events = [labelled(*each) for each in given_labels]
    again = events * 2
    order.shuffle(again)
    assert labels(recorded(*again)) == labels(recorded(*events))
    for event_id in {event.event_id for event in events}:
        highest = max(event.revision for event in events if event.event_id == event_id)
        said = {e.label for e in events if (e.event_id, e.revision) == (event_id, highest)}
        assert labels(recorded(*events))[event_id] == (said.pop() if len(said) == 1 else None)


def test_an_event_without_a_label_is_a_row_once_and_one_with_a_label_is_not_another() -> None:
    history = recorded(labelled("1"), served("1"), served("2"), served("2", source="t-1-0"))
    assert labels(history) == {"1": "yes", "2": None}
    assert history.labelled == 1


@given(st.permutations([("t-0-9", 1.0), ("t-0-10", 2.0), ("t-1-0", 3.0)]))
def test_of_several_deliveries_the_lowest_source_counts(order: list[tuple[str, float]]) -> None:
    (event,) = recorded(*(served("1", source=source, a=a) for source, a in order)).events
    assert event.features[0] == 1.0


def test_rows_are_in_order_of_event_time_and_of_one_time_in_order_of_a_files_numbers() -> None:
    history = recorded(labelled("10"), labelled("3", ts=6), labelled("9"), served("2", ts=4))
    rows = list(history.rows(TINY))
    assert [row.event_id for row in rows] == ["2", "9", "10", "3"]
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert [row.label for row in rows] == [None, "yes", "yes", "yes"]
    assert rows[1].features == {"a": 1.0, "b": None, "c": "x"}


def test_since_and_last_leave_the_youngest() -> None:
    events = [labelled(str(ts), ts=ts) for ts in range(8)] + [served(str(ts), ts=ts) for ts in range(8, 10)]
    assert list(labels(recorded(*events, since=7))) == ["7", "8", "9"]
    assert list(labels(recorded(*events, last=3))) == ["7", "8", "9"]
    assert list(labels(recorded(*events, since=8, last=3))) == ["8", "9"]


def test_what_was_served_under_other_features_is_counted_and_left_out_or_is_a_rows_problem() -> None:
    history = recorded(labelled("1", features=(1.0,)), labelled("2", features=("much", None, "x")))
    assert history.strangers == 1
    (row,) = history.rows(TINY)
    assert not row.fits
    assert row.label == "yes"


def shown(result: Result) -> Result:
    """All but what it cost."""
    return replace(result, training_seconds=0.0, cost=replace(result.cost, fit_seconds=0.0, seconds=0.0))


@pytest.fixture(scope="module")
def gappy() -> Callable[[Pipeline], list[Row]]:
    """A stream in which every seventh row has no label."""
    return lambda pipeline: [replace(row, label=None) if row.number % 7 == 3 else row for row in rows_of(pipeline)]


def test_the_history_of_a_file_gives_what_the_file_gives(run: Run, gappy: Callable[[Pipeline], list[Row]]) -> None:
    pipeline = payments()
    rows = gappy(pipeline)
    with_label = list(labelled_rows(iter(rows), pipeline, "f", lambda _row, _problem: None))
    without = [Served(event_id=row.event_id, entity=row.entity, ts=row.ts, source=f"t-0-{row.number}",
                      features=tuple(row.features.get(f.name) for f in pipeline.features))
               for row in rows if row.label is None and isinstance(row.ts, int)]
    deliveries = [*with_label, *with_label[:300]]
    random.Random(0).shuffle(deliveries)
    distinct = DistinctEvents(len(pipeline.features))
    for event in deliveries:
        distinct.labelled(event)
    for event in without:
        distinct.served(event)
    history = distinct.recorded()
    again = partial(run, pipeline, trained=TRAINED, start=history.events[0].ts)
    of_file = run(pipeline, iter(rows))
    assert of_file.alerts
    assert of_file.promotions
    assert shown(again(history.rows(pipeline))) == shown(of_file)
