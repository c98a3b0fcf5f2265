"""The newest events of a history are found without reading all of it."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from automl_stream.backtest import topic_history
from automl_stream.backtest.recorded import Recorded
from automl_stream.backtest.topic_history import Span, read_history
from automl_stream.topic_log import Bounds, Record
from kafka_access.access import KafkaAccess
from schemas.codec import encode
from schemas.messages import LabelledEvent, Message, Model, Prediction
from tests.tiny import tiny_pipeline

PIPELINE = tiny_pipeline()
BEGIN, APART = 1_700_000_000_000, 60_000  # an event a minute, written as it happens, labelled an hour later
EVENTS, LABEL_DELAY = 5_000, 60
MODEL = Model(version="1", digest="m", epoch=0)


class Stored:
    """Stands for the topics' reader; counts what was read."""

    predictions, labelled = EVENTS, EVENTS - LABEL_DELAY
    read = 0

    def __init__(self, _kafka: KafkaAccess) -> None:
        pass

    def close(self) -> None:
        pass

    def bounds(self, topic: str, since: int | None = None) -> Bounds:
        count, delay = (self.labelled, LABEL_DELAY) if topic.endswith("labelled") else (self.predictions, 0)
        first = 0 if since is None else max(0, -(-(since - BEGIN) // APART) - delay)
        return {0: (min(first, count), count)}

    def stream(self, topic: str, bounds: Bounds) -> Iterator[Record]:
        for number in range(*bounds[0]):
            Stored.read += 1
            message = labelled(number) if topic.endswith("labelled") else predicted(number)
            yield Record(partition=0, offset=number, timestamp=0, key=None, value=encode(message))


def predicted(number: int) -> Message:
    return Prediction(event_id=str(number), entity="e", ts=BEGIN + number * APART, source=f"t-0-{number}",
                      source_day="2026-01-01", pipeline_digest="d", model=MODEL, prediction="yes", score=0.5,
                      features=[1.0, None, "x"], scored_at=0)


def labelled(number: int) -> Message:
    return LabelledEvent(event_id=str(number), entity="e", ts=BEGIN + number * APART, source=f"t-0-{number}",
                         pipeline_digest="d", label="yes", features=[1.0, None, "x"], revision=0, labelled_ts=0)


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> type[Stored]:
    monkeypatch.setattr(topic_history, "TopicLog", Stored)
    monkeypatch.setattr(Stored, "read", 0)
    return Stored


def history(**span: int) -> Recorded:
    bar = nullcontext(lambda _done: None)
    recorded, unreadable = read_history(PIPELINE, KafkaAccess(servers="none"), Span(**span), lambda _name, _rows: bar)
    assert unreadable == []
    return recorded


def test_the_last_events_are_those_of_the_whole_history_and_little_else_is_read(stored: type[Stored]) -> None:
    last = history(last=100)
    assert stored.read < 2_000
    stored.read = 0
    assert list(last.events) == list(history().events)[-100:]
    assert stored.read == EVENTS * 2 - LABEL_DELAY
    assert last.labelled == 100 - LABEL_DELAY


def test_where_little_was_predicted_the_last_events_are_those_that_were_labelled_last(
        stored: type[Stored], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "predictions", 0)
    assert [event.event_id for event in history(last=3).events] == ["4937", "4938", "4939"]
    assert stored.read == 30


def test_of_the_events_since_a_time_the_last_are_taken() -> None:
    since = BEGIN + (EVENTS - 10) * APART
    assert len(history(last=100, since=since).events) == 10
    assert len(history(last=5, since=since).events) == 5
