"""Topics follow the pipeline file."""

from pathlib import Path

from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage]  # documented
)
from msgspec.structs import replace

from automl_stream.topics import create_topics
from kafka_access.access import KafkaAccess
from schemas.pipeline import Duration, Retention
from schemas.topics import DAY_MS, DEAD_LETTERS, EVENTS, LABELLED, Topic, topic_name
from tests.live import Live
from tests.wait import wait_for


def test_a_topic_that_is_there_is_given_the_retention_of_the_file(kafka: KafkaAccess, tmp_path: Path) -> None:
    live, admin = Live(kafka, tmp_path), AdminClient({**kafka.librdkafka()})

    def days(topic: Topic) -> float:
        asked = ConfigResource(ConfigResource.Type.TOPIC, topic_name(live.name, topic))
        (future,) = admin.describe_configs([asked]).values()
        kept = int(future.result(30)["retention.ms"].value)
        return kept / DAY_MS if kept > 0 else kept

    assert (days(EVENTS), days(DEAD_LETTERS), days(LABELLED)) == (7, 30, -1)
    create_topics(replace(live.pipeline, retention=Retention(events=Duration(2 * DAY_MS))), kafka)
    wait_for(lambda: days(EVENTS) == 2 or None, 30)
    assert (days(DEAD_LETTERS), days(LABELLED)) == (30, -1)
    live.close()
