"""More partitions: in the right order, finished after a crash, never fewer."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from automl_stream import partitions
from automl_stream.partitions import PartitionsFailed, raise_partitions
from automl_stream.topics import TopicsDiffer, create_topics
from automl_stream.wrong_use import WrongUse
from kafka_access.access import KafkaAccess
from schemas.messages import PartitionCount, WindowRecord
from schemas.topics import EVENTS, LABELLED, LABELS, PREDICTIONS, SCORE_STATE, WINDOW_COUNTS, Topic
from tests.live import Live

GROWN = (PREDICTIONS, SCORE_STATE, LABELS, EVENTS)


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    live = Live(kafka, tmp_path)
    yield live
    live.close()


def counts(live: Live) -> dict[Topic, int]:
    return {topic: len(live.bounds(topic)) for topic in GROWN}


def told(live: Live) -> list[WindowRecord]:
    decode = msgspec.json.Decoder(WindowRecord).decode
    return [decode(record.value or b"") for record in live.records(WINDOW_COUNTS)]


def test_all_topics_of_a_pipeline_grow_and_the_window_counts_are_told_once(live: Live, kafka: KafkaAccess) -> None:
    said: list[str] = []
    for _ in range(2):
        raise_partitions(live.pipeline, kafka, 3, said.append)
    assert counts(live) == dict.fromkeys(GROWN, 3)
    assert len(live.bounds(LABELLED)) == 1
    assert told(live) == [PartitionCount(partitions=3, before=2)]
    assert "3 partitions instead of 2" in said[0]
    assert said[1] == f"{live.name} has 3 partitions."


def test_a_pipeline_whose_file_says_less_than_kafka_has_goes_on_and_one_that_says_more_is_refused(
        live: Live, kafka: KafkaAccess) -> None:
    raise_partitions(live.pipeline, kafka, 3, lambda _: None)
    create_topics(live.pipeline, kafka)
    assert counts(live) == dict.fromkeys(GROWN, 3)
    more = msgspec.structs.replace(live.pipeline.pipeline, partitions=4)
    with pytest.raises(TopicsDiffer, match="has 3 partitions, the pipeline declares 4"):
        create_topics(msgspec.structs.replace(live.pipeline, pipeline=more), kafka)


def test_fewer_partitions_are_refused_and_nothing_is_written(live: Live, kafka: KafkaAccess) -> None:
    with pytest.raises(WrongUse, match=r"has 2 partitions and Kafka cannot take any away"):
        raise_partitions(live.pipeline, kafka, 1, lambda _: None)
    assert told(live) == []


def test_what_a_crash_left_half_done_is_finished_by_the_same_command(
        live: Live, kafka: KafkaAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    grow = partitions._grow

    def dies_at_events(admin: AdminClient, kafka: KafkaAccess, topic: str, wanted: int) -> None:
        if topic.endswith("events"):
            raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))
        grow(admin, kafka, topic, wanted)

    monkeypatch.setattr(partitions, "_grow", dies_at_events)
    with pytest.raises(PartitionsFailed, match="give the command again"):
        raise_partitions(live.pipeline, kafka, 3, lambda _: None)
    # The message stands before the partitions do: no row of theirs can be missed by a window.
    assert counts(live) == dict.fromkeys(GROWN, 3) | {EVENTS: 2}
    assert told(live) == [PartitionCount(partitions=3, before=2)]
    monkeypatch.undo()
    raise_partitions(live.pipeline, kafka, 3, lambda _: None)
    assert counts(live) == dict.fromkeys(GROWN, 3)
    assert told(live) == [PartitionCount(partitions=3, before=2)] * 2


def test_a_pipeline_without_topics_is_told_how_to_get_them(live: Live, kafka: KafkaAccess) -> None:
    unknown = msgspec.structs.replace(live.pipeline.pipeline, name="nowhere")
    with pytest.raises(WrongUse, match=r"topic nowhere\.predictions is not there; `automl-stream up` creates"):
        raise_partitions(msgspec.structs.replace(live.pipeline, pipeline=unknown), kafka, 3, print)
