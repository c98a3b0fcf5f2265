"""A pipeline's history in Kafka: `labelled`, and from `predictions` the events that have no label yet."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import TypeVar

from msgspec import Struct

from automl_stream.backtest.recorded import DistinctEvents, Recorded, Served
from automl_stream.topic_log import TopicLog
from automl_stream.wrong_use import WrongUse
from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, PREDICTIONS, Topic, topic_name

MessageT = TypeVar("MessageT")
Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]  # what is done, of how much; hears how far

_STEP = 1_000
_RECORDS = 10  # looked at for an event that is wanted: deliveries may repeat, and come in any order


class Span(Struct, frozen=True, kw_only=True):
    """Which events: not before `since` (event time, epoch ms), and the `last` ones of those."""

    since: int | None = None
    last: int | None = None


def read_history(pipeline: Pipeline, kafka: KafkaAccess, span: Span, bar: Bar) -> tuple[Recorded, list[str]]:
    """The recorded events, and what is wrong with the records that could not be read.

    Raises:
        WrongUse: where there is no event.
        MissingTopic, KafkaUnavailable: as `TopicLog`.
    """
    unreadable, features = list[str](), len(pipeline.features)
    with closing(TopicLog(kafka)) as log:
        reading = _Reading(log, pipeline.name, bar, unreadable)
        first = _first_of_last(_Reading(log, pipeline.name, bar, []), features, span)
        since = span.since if first is None else first
        # No event is further ahead of Kafka's clock than that: what was written before cannot be wanted.
        written = None if since is None else since - pipeline.windows.max_future
        events = DistinctEvents(features, since)
        # A bootstrap's rows may lie ahead of any clock, but they are not the last where enough was served since.
        tail = None if span.last is None or first is not None else span.last * _RECORDS
        reading.each(LABELLED, LabelledEvent, events.labelled, None if first is None else written, tail)
        reading.each(PREDICTIONS, Served, events.served, written)
    recorded = events.recorded(span.last)
    if not recorded.events:
        raise WrongUse(_nothing(pipeline, span, recorded.strangers))
    return recorded, unreadable


def _first_of_last(reading: "_Reading", features: int, span: Span) -> int | None:
    """Event time from which on there are as many events as `span.last` at least: a topic that nothing bounds need not
    be read whole. None where all are wanted, or the newest predictions are of fewer."""
    if span.last is None:
        return None
    events = DistinctEvents(features, span.since)
    reading.each(PREDICTIONS, Served, events.served, tail=span.last * _RECORDS)
    newest = events.recorded(span.last).events
    return newest[0].ts if len(newest) == span.last else None


class _Reading:
    """Reads topics one after another, with a progress bar each."""

    def __init__(self, log: TopicLog, pipeline: str, bar: Bar, unreadable: list[str]) -> None:
        self._log = log
        self._pipeline = pipeline
        self._bar = bar
        self._unreadable = unreadable

    def each(self, topic: Topic, kind: type[MessageT], take: Callable[[MessageT], None],
             since: int | None = None, tail: int | None = None) -> None:
        """Take what is in a topic now, or was written since (epoch ms), or only so many records at each partition's
        end."""
        name = topic_name(self._pipeline, topic)
        bounds = self._log.bounds(name, since)
        if tail is not None:
            bounds = {partition: (max(first, end - tail), end) for partition, (first, end) in bounds.items()}
        total = sum(end - first for first, end in bounds.values())
        with self._bar(f"reading {topic.name}", total) as heard:
            for done, record in enumerate(self._log.stream(name, bounds), 1):
                try:
                    take(decode(record.value or b"", kind))
                except ValueError as error:
                    self._unreadable.append(f"{name}, partition {record.partition}, offset {record.offset}: {error}")
                if done % _STEP == 0:
                    heard(done)
            heard(total)


def _nothing(pipeline: Pipeline, span: Span, strangers: int) -> str:
    labelled = topic_name(pipeline.name, LABELLED)
    if strangers:
        return (f"topic {labelled}: none of {strangers} events has the {len(pipeline.features)} features of pipeline "
                f"'{pipeline.name}'; give the file that they were served with")
    if span.since is not None:
        return f"topic {labelled}: no event is as young as --since wants it; give an earlier time, or leave it out"
    return f"topic {labelled} holds no event; `automl-stream bootstrap` and the running services write them"
