"""Every group but score's goes back to the beginning: nothing that was said or stored changes.

Works on the home of a demo that has ended: its stack is started again, for as long as this lasts.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from automl_stream.group_commits import Place, committed
from automl_stream.local_stack.mlflow import store_uri
from automl_stream.local_stack.ports import unused_ports
from automl_stream.local_stack.stack import Addresses, start_infrastructure
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.services import PipelineServices
from automl_stream.topic_log import TopicLog
from automl_stream.verify.loading import load
from automl_stream.verify.recording import Recording
from automl_stream.verify.settling import STAGES
from kafka_access.access import KafkaAccess
from schemas.pipeline import Pipeline, load_pipeline
from schemas.topics import EVENTS, SCORE_STATE, topic_name
from tests.wait import wait_for

GROUPS = ("monitor", "labels", "record", "trainer")
PATIENCE_SECONDS = 240.0


def rewound(home: Path, file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What topics, PostgreSQL and MLflow hold before and after every service but score has read all again."""
    pipeline, ports = load_pipeline(file), unused_ports()
    with Supervisor(home) as supervisor:
        started = start_infrastructure(supervisor, ports, {**os.environ, "MLFLOW_TRACKING_URI": "sqlite://"})
        addresses = Addresses(
            kafka=started.kafka, database_url=started.database_url,
            service_database_url=started.service_database_url,
            reader_database_url=started.reader_database_url, mlflow_uri=store_uri(started.database_url),
            artifact_root=str(home / "mlflow-artifacts"), mlflow_ui="")
        before, resumed = contents(pipeline, addresses), resumptions(home, pipeline)
        rewind(pipeline, addresses.kafka)
        services = PipelineServices(file=file, pipeline=pipeline, addresses=addresses, ports=ports,
                                    state=home / "state")
        for service in services.single():
            services.launch(supervisor, service)
        wait_for(lambda: caught_up(pipeline, addresses.kafka) or None, PATIENCE_SECONDS)
        wait_for(lambda: resumptions(home, pipeline) > resumed or None, PATIENCE_SECONDS)
        assert not any(supervisor.restarts(service.name) for service in services.single())
        return before, contents(pipeline, addresses)


def rewind(pipeline: Pipeline, kafka: KafkaAccess) -> None:
    """Set the commits of each group to 0, as soon as the broker has forgotten the members that died with the demo."""
    admin, log = AdminClient(kafka.librdkafka()), TopicLog(kafka)

    def back(group: str) -> bool:
        done = commits(pipeline, kafka, log, group)
        if any(done.values()):
            places = [TopicPartition(*place, 0) for place in done]
            request = ConsumerGroupTopicPartitions(f"{pipeline.name}.{group}", places)
            for future in admin.alter_consumer_group_offsets([request]).values():
                with suppress(KafkaException):  # the group still has members: ask again
                    future.result(30)
        return set(commits(pipeline, kafka, log, group).values()) == {0}

    for group in GROUPS:
        wait_for(lambda group=group: back(group) or None, PATIENCE_SECONDS)
    log.close()


def commits(pipeline: Pipeline, kafka: KafkaAccess, log: TopicLog, group: str) -> dict[Place, int]:
    """What a group has committed."""
    topics = [topic_name(pipeline.name, topic) for topic in dict(STAGES)[group]]
    places = [(topic, partition) for topic in topics for partition in log.bounds(topic)]
    return committed(kafka, f"{pipeline.name}.{group}", places)


def caught_up(pipeline: Pipeline, kafka: KafkaAccess) -> bool:
    """Whether each rewound group has again committed all there is. The trainer goes by its own state instead."""
    log = TopicLog(kafka)
    try:
        return all(offset >= log.bounds(topic)[partition][1] for group in GROUPS if group != "trainer"
                   for (topic, partition), offset in commits(pipeline, kafka, log, group).items())
    finally:
        log.close()


def resumptions(home: Path, pipeline: Pipeline) -> int:
    """How often the trainer has read its history and gone on."""
    return (home / "logs" / f"{pipeline.name}-trainer.log").read_bytes().count(b'"resumed"')


def contents(pipeline: Pipeline, addresses: Addresses) -> dict[str, Any]:
    """Records of every topic that the services write, rows of PostgreSQL, versions of MLflow."""
    recording, _ = load(pipeline, addresses.kafka, addresses.database_url, wait_seconds=0)
    return topics(recording) | {
        "predictions in PostgreSQL": sorted(map(repr, recording.rows.predictions)),
        "messages in PostgreSQL": sorted(map(repr, recording.rows.messages)),
        "refused in PostgreSQL": sorted(map(repr, recording.rows.refused)),
        "labels in PostgreSQL": rows(addresses.database_url, f'select * from "{pipeline.name}".labels'),
        "versions in MLflow": rows(store_uri(addresses.database_url).replace("+psycopg", ""),
                                   "select name, version, run_id, current_stage from model_versions"),
        "runs in MLflow": rows(store_uri(addresses.database_url).replace("+psycopg", ""),
                               "select run_uuid, status, lifecycle_stage from runs"),
    }


def topics(recording: Recording) -> dict[str, Any]:
    """Key and value of every record; offsets too, so that a second writing of the same would show."""
    return {name: [(r.partition, r.offset, r.key, r.value) for r in log.records]
            for name, log in recording.logs.items() if name not in (EVENTS.name, SCORE_STATE.name)}


def rows(database_url: str, query: str) -> list[str]:
    """Rows of a query, in an order of their own."""
    with psycopg.connect(database_url) as connection:
        return sorted(map(repr, connection.execute(query.encode()).fetchall()))
