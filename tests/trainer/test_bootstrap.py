"""What bootstrap refuses to train on, without Kafka."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.codec import encode
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from trainer.bootstrap import _read_back
from trainer.errors import UnusableRows
from trainer.kafka_log import LogRecord

Make = Callable[..., Pipeline]
Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]


def log_of(events: list[LabelledEvent]) -> Any:
    """A reader whose every topic holds the events."""
    records = [LogRecord(offset=k, key=None, value=encode(event)) for k, event in enumerate(events)]
    return SimpleNamespace(read=lambda _topic: iter(records))


def test_three_classes_of_a_binary_pipeline_are_refused_with_the_key_to_change(
        make_pipeline: Make, stream: Stream) -> None:
    pipeline = make_pipeline()
    rows = stream(pipeline, 0, 100)
    log = log_of([*rows, replace(rows[0], event_id="stray", label="maybe")])
    with pytest.raises(UnusableRows, match=r"3 classes \(maybe, no, yes.*'pipeline\.task' to multiclass"):
        _read_back(pipeline, log)
    assert len(_read_back(pipeline, log_of(rows)).rows) == 100
    assert _read_back(make_pipeline("multiclass"), log).classes == ("maybe", "no", "yes")
