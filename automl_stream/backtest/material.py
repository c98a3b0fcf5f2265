"""What a backtest replays: the rows of a file, or those that a pipeline has recorded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from automl_stream.backtest.recorded import Recorded
from automl_stream.backtest.topic_history import Bar, Span, read_history
from kafka_access.access import KafkaAccess
from producers.files import Table, file_rows
from producers.rows import Row
from schemas.pipeline import Pipeline

Policies = Mapping[str, Pipeline]
SHOWN_RECORDS = 3


@dataclass(frozen=True, kw_only=True)
class Material:
    """How many rows there are, and the rows themselves for each policy. `start`: as in `Plan`."""

    rows: int
    sources: Mapping[str, Iterator[Row]]
    start: int | None = None


def of_file(table: Table, policies: Policies) -> Material:
    """The rows of a file.

    Raises:
        UnusableFile: where a column is missing or unknown.
    """
    return Material(rows=table.rows, sources={name: file_rows(table, loaded) for name, loaded in policies.items()})


def of_topic(pipeline: Pipeline, policies: Policies, kafka: KafkaAccess, span: Span, bar: Bar,
             say: Callable[[str], None]) -> Material:
    """What the pipeline has recorded; `say` hears what was found and what was left out.

    Raises:
        WrongUse, TopicLogError: as `read_history`.
    """
    recorded, unreadable = read_history(pipeline, kafka, span, bar)
    for sentence in sentences(recorded, unreadable):
        say(sentence)
    return Material(rows=len(recorded.events), start=recorded.events[0].ts,
                    sources={name: recorded.rows(loaded) for name, loaded in policies.items()})


def sentences(recorded: Recorded, unreadable: list[str]) -> Iterator[str]:
    """What is replayed, and what is not."""
    events = recorded.events
    yield f"{len(events):,} events from {_time(events[0].ts)} to {_time(events[-1].ts)}."
    if without := len(events) - recorded.labelled:
        yield f"{without:,} of them have no label yet: they are counted in windows, and train and judge nothing."
    if recorded.strangers:
        yield (f"{recorded.strangers:,} records are left out: they have another number of features than the pipeline "
               "file.")
    for problem in unreadable[:SHOWN_RECORDS]:
        yield f"This record cannot be read and is left out: {problem}"
    if len(unreadable) > SHOWN_RECORDS:
        yield f"So are {len(unreadable) - SHOWN_RECORDS:,} more."


def _time(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
