"""A small pipeline, files of it, and a broker with fresh topics."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kafka_access.access import KafkaAccess
from schemas.pipeline import Pipeline, parse_pipeline
from schemas.topics import EVENTS, LABELS, Topic, topic_name

PARTITIONS = 3
DEFINITION = """
[pipeline]
name = "{name}"
task = "binary"
[replay]
label = "fraud"
entity = "card"
start = "2020-01-01T00:00:00Z"
spacing = "1s"
drop = ["note"]
[[features]]
name = "amount"
type = "number"
[[features]]
name = "country"
type = "category"
optional = true
[[features]]
name = "online"
type = "boolean"
"""


def define(name: str = "shop", old: str = "", new: str = "") -> Pipeline:
    text = DEFINITION.format(name=name)
    return parse_pipeline(text.replace(old, new) if old else text, "test")


@pytest.fixture
def shop() -> Pipeline:
    return define()


@pytest.fixture
def shop_csv(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    lines = [f"c{n % 7},{n}.5,{'DE' if n % 2 else ''},{'true' if n % 3 else '0'},{int(n % 5 == 0)},x"
             for n in range(50)]
    path.write_text("\n".join(["card,amount,country,online,fraud,note", *lines]) + "\n")
    return path


class Broker:
    """Fresh topics of one pipeline, read back to their end."""

    def __init__(self, kafka: KafkaAccess) -> None:
        self.kafka = kafka
        self.pipeline = define(f"shop_{uuid.uuid4().hex[:8]}")
        admin = AdminClient(self.kafka.librdkafka())
        for created in admin.create_topics([NewTopic(self.topic(t), PARTITIONS, 1) for t in (EVENTS, LABELS)]).values():
            created.result()
        for topic in (EVENTS, LABELS):
            self._await_leaders(self.topic(topic))

    def topic(self, topic: Topic) -> str:
        return topic_name(self.pipeline.name, topic)

    def _await_leaders(self, topic: str) -> None:
        """A topic is created before its partitions can be asked: ask until they answer."""
        consumer = Consumer({**self.kafka.librdkafka(), "group.id": "test"})
        waiting, deadline = set(range(PARTITIONS)), time.monotonic() + 60
        while waiting:
            try:
                consumer.get_watermark_offsets(TopicPartition(topic, min(waiting)), timeout=10)
                waiting.remove(min(waiting))
            except KafkaException:
                assert time.monotonic() < deadline, f"{topic} has no leaders after 60 s"
        consumer.close()

    def records(self, topic: Topic) -> list[Message]:
        """Records of all partitions, partition by partition in offset order."""
        return [record for partition in range(PARTITIONS) for record in self._partition(topic, partition)]

    def _partition(self, topic: Topic, partition: int) -> Iterator[Message]:
        consumer = Consumer({**self.kafka.librdkafka(), "group.id": "test", "enable.partition.eof": True,
                             "fetch.wait.max.ms": 10})
        consumer.assign([TopicPartition(self.topic(topic), partition, 0)])
        while True:
            record = consumer.poll(30)
            assert record is not None, "the broker gave nothing for 30 s"
            error = record.error()
            if error is None:
                yield record
                continue
            assert error.code() == KafkaError._PARTITION_EOF, error.str()
            consumer.close()
            return


@pytest.fixture
def broker(kafka: KafkaAccess) -> Broker:
    return Broker(kafka)
