"""Who may write trainer-state, on a real broker."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from kafka_access.access import KafkaAccess
from schemas.messages import Dataset, Expert, Recipe, TrainerState
from schemas.pipeline import Pipeline
from trainer.errors import LostLeadership
from trainer.kafka_log import LogReader, LogWriter
from trainer.state_log import StateLog

RECIPE = Recipe(family="logistic", window="all", dataset=Dataset(first=0, last=9, rows=10, digest=""), seed=0)
STATE = TrainerState(covered=10, covered_alerts=0, labels=10, event_time=0, loss_scale=1.0, champion_epoch=0,
                     champion=Expert(decision_id="d", recipe=RECIPE, loss=0.0, weight=0.0), refreshed_labels=0,
                     refreshed_at=0)


@pytest.fixture
def logs(kafka_pipeline: Pipeline, kafka: KafkaAccess) -> Iterator[tuple[StateLog, StateLog]]:
    """Two trainers' view of one topic."""
    readers = LogReader(kafka), LogReader(kafka)
    first, second = (StateLog(kafka_pipeline, reader, LogWriter(kafka)) for reader in readers)
    yield first, second
    for reader in readers:
        reader.close()


def test_who_alone_writes_goes_on_and_a_start_finds_the_last(logs: tuple[StateLog, StateLog]) -> None:
    first, second = logs
    assert first.read() is None
    for covered in (10, 20, 30):
        first.write(replace(STATE, covered=covered))
    assert second.read() == replace(STATE, covered=30)


def test_where_another_trainer_has_written_since_nothing_is_written(logs: tuple[StateLog, StateLog]) -> None:
    first, second = logs
    first.write(STATE)
    second.read()
    second.write(replace(STATE, covered=30))
    with pytest.raises(LostLeadership, match="another trainer has written"):
        first.write(replace(STATE, covered=20))
    assert first.read() == replace(STATE, covered=30)


def test_an_older_state_that_came_last_is_not_gone_on_from(logs: tuple[StateLog, StateLog]) -> None:
    first, second = logs
    first.write(replace(STATE, covered=30, covered_alerts=1))
    second.read()
    second.write(replace(STATE, covered=30, covered_alerts=0))
    second.write(replace(STATE, covered=20, covered_alerts=7))
    assert first.read() == replace(STATE, covered=30, covered_alerts=1)
