"""PostgreSQL is stopped for minutes while predictions and commands go on, and then everything is read again: every row
is stored once, as it was said, and the replay changes nothing.

Run: python -m tests.chaos.recorder [--full] [--json]
"""

import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec import Struct

from automl_stream.audit.heads import read_known
from automl_stream.audit.proof import prove
from automl_stream.audit.rows import open_record
from automl_stream.group_commits import committed
from automl_stream.local_stack import postgres
from automl_stream.local_stack.ports import unused_ports
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.topic_log import TopicLog
from kafka_access.access import KafkaAccess
from schemas.codec import encode
from schemas.messages import Command, Model, Prediction
from schemas.topics import AUDIT_HEADS, COMMANDS, PREDICTIONS, topic_name
from stream_apps.migrations.migrate import migrate
from tests.chaos.command import run_alone
from tests.live import Live
from tests.wait import wait_for

RATE, COMMANDS_SAID = 1_000, 3
STEP_SECONDS = 0.1
DRAIN_SECONDS = 240.0
ROW = Prediction(
    event_id="", entity="", ts=0, source="", source_day="2026-01-31", pipeline_digest="d", scored_at=7,
    model=Model(version="1", digest="m", epoch=0), prediction="yes", score=0.75, probabilities=[0.25, 0.75],
    features=[0.5, 1.5, "x"])


class Figures(Struct, frozen=True, kw_only=True):
    """`behind`: rows that waited in Kafka when PostgreSQL was back; `drain_seconds`: until all were stored, while as
    many a second as before went on coming; `replayed`: rows that were read again and changed nothing."""

    outage_seconds: float
    rows: int
    behind: int
    drain_seconds: float
    drain_rows_per_second: float
    replayed: int
    exact: bool


class Talk(threading.Thread):
    """Says `RATE` predictions a second until it is told to stop."""

    def __init__(self, kafka: KafkaAccess, topic: str) -> None:
        super().__init__()
        self._producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "linger.ms": 20,
                                   "queue.buffering.max.messages": 1_000_000, "log_level": 2})
        self._topic = topic
        self._over = threading.Event()
        self.said = 0

    def run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(STEP_SECONDS):
            while self.said < (time.monotonic() - began) * RATE:
                k, self.said = self.said, self.said + 1
                row = msgspec.structs.replace(ROW, event_id=f"e{k}", entity=f"x{k % 50}", ts=k, source=f"T-{k % 2}-{k}")
                self._producer.produce(self._topic, encode(row), b"k", k % 2)
            self._producer.poll(0)

    def stop(self) -> None:
        """Every row is confirmed when this returns."""
        self._over.set()
        self.join()
        assert self._producer.flush(60) == 0


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Stop PostgreSQL for five minutes, or 20 seconds, and read everything again.

    Raises:
        AssertionError: where a row is missing, doubled, altered, or changed by the replay.
    """
    outage = 300.0 if full else 20.0
    ports, home = unused_ports(), directory / "postgres"
    service = postgres.postgres_service(home, ports)
    with Supervisor(home) as supervisor, closing(Live(kafka, directory)) as live:
        supervisor.start(service)
        postgres.create_databases(postgres.database_url(home, ports, "postgres"), ["automl_stream"])
        url = postgres.database_url(home, ports)
        postgres.create_roles(home, url)
        migrate(url, live.name)
        recorder = live.start("record", DATABASE_URL=postgres.service_url(home, ports))
        talk = Talk(kafka, topic_name(live.name, PREDICTIONS))
        talk.start()
        say_commands(live)
        live.until(lambda: stored(url, live) > RATE, "the first rows", DRAIN_SECONDS)
        supervisor.stop(service.name)
        say_commands(live)
        time.sleep(outage)  # the fault under test is its length
        supervisor.start(service)
        began, behind = time.monotonic(), talk.said - stored(url, live)
        live.until(lambda: stored(url, live) >= talk.said - RATE, "the backlog", DRAIN_SECONDS)
        drained = time.monotonic() - began
        talk.stop()
        live.until(lambda: caught_up(kafka, live), "every row", DRAIN_SECONDS)
        before = contents(url, live, kafka)
        assert before["rows"] == before["sources"] == talk.said
        live.kill(recorder)
        live.expect(recorder)
        rewind(kafka, live)
        live.start("record", DATABASE_URL=postgres.service_url(home, ports))
        live.until(lambda: caught_up(kafka, live), "the replay", DRAIN_SECONDS)
        assert contents(url, live, kafka) == before
    return Figures(outage_seconds=outage, rows=talk.said, behind=behind, drain_seconds=round(drained, 1),
                   drain_rows_per_second=round(behind / drained), replayed=talk.said, exact=True)


def say_commands(live: Live) -> None:
    live.say(COMMANDS, *(Command(command_id=f"c{k}", action="pause", by="ann", labelled_offset=0, issued_at=k)
                         for k in range(COMMANDS_SAID)))


def stored(url: str, live: Live) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f'select count(*) from "{live.name}".predictions'.encode()).fetchone()
    return int(row[0]) if row else 0


def contents(url: str, live: Live, kafka: KafkaAccess) -> dict[str, Any]:
    """What PostgreSQL holds, and the heads in Kafka; the audit verifies."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            'select count(*), count(distinct source), sum(hashtextextended(p::text, 0)) '
            f'from "{live.name}".predictions p'.encode()).fetchone()
        audit = connection.execute(f'select * from "{live.name}".audit order by position'.encode()).fetchall()
    assert rows is not None
    with open_record(url, live.name) as record, closing(TopicLog(kafka)) as log:
        assert not any(chain.difference for chain in prove(record.audit(), read_known(live.name, log)))
    assert len(audit) == 2 * COMMANDS_SAID
    return {"rows": rows[0], "sources": rows[1], "digest": rows[2], "audit": audit,
            "heads": [(r.offset, r.value) for r in live.records(AUDIT_HEADS)]}


def places(live: Live) -> dict[tuple[str, int], int]:
    """End of each partition that the recorder reads here."""
    return {(topic_name(live.name, topic), partition): end for topic in (PREDICTIONS, COMMANDS)
            for partition, (_, end) in live.bounds(topic).items()}


def caught_up(kafka: KafkaAccess, live: Live) -> bool:
    ends = places(live)
    done = committed(kafka, f"{live.name}.record", ends)
    return all(done.get(place, 0) >= end for place, end in ends.items())


def rewind(kafka: KafkaAccess, live: Live) -> None:
    """Set the recorder's commits to 0, as soon as the broker has forgotten the one that was killed."""
    admin, group = AdminClient({**kafka.librdkafka(), "log_level": 2}), f"{live.name}.record"
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(*place, 0) for place in places(live)])]

    def back() -> bool:
        for future in admin.alter_consumer_group_offsets(asked).values():
            with suppress(KafkaException):  # the group still has a member: ask again
                future.result(30)
        return set(committed(kafka, group, places(live)).values()) == {0}

    wait_for(lambda: back() or None, 60)


if __name__ == "__main__":
    run_alone(run)
