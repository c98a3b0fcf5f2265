"""What PostgreSQL is told of the training log before labels are read anew."""

import asyncio
import time
from contextlib import closing
from pathlib import Path

import psycopg
from confluent_kafka import Producer

from automl_stream.emitted import remember_emitted
from automl_stream.topic_log import TopicLog
from schemas.codec import encode
from schemas.messages import Label, LabelledEvent, Model
from schemas.topics import DAY_MS, LABELLED, LABELS, topic_name
from stream_apps.migrations.migrate import migrate
from tests.conftest import Backends
from tests.live import Live
from tests.logins import writer_login


def test_what_kafka_no_longer_has_of_a_person_does_not_come_back_from_the_training_log(
        backends: Backends, tmp_path: Path) -> None:
    now = time.time_ns() // 1_000_000
    with closing(Live(backends.kafka, tmp_path)) as live, writer_login(backends.database_url) as login:
        migrate(backends.database_url, live.name)
        producer = Producer(backends.kafka.librdkafka())
        for name, age in (("gone", 40 * DAY_MS), ("kept", 0)):
            row = LabelledEvent(event_id=name, entity=name, ts=now - age, source="t-0-0", pipeline_digest="",
                                label="yes", labelled_ts=now - age, features=[],
                                model=Model(version="1", digest="", epoch=0))
            producer.produce(topic_name(live.name, LABELLED), encode(row), partition=0, timestamp=now - age)
        assert producer.flush(30) == 0
        live.write(LABELS, 0, encode(Label(event_id="kept", entity="kept", ts=now, label="yes")))
        with closing(TopicLog(backends.kafka)) as log:
            assert asyncio.run(remember_emitted(live.pipeline, log, login)) == 1
        with psycopg.connect(backends.database_url) as connection:
            assert connection.execute(f'select entity from "{live.name}".labels'.encode()).fetchall() == [("kept",)]
            connection.execute(f'drop schema "{live.name}" cascade'.encode())
