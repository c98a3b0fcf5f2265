"""PostgreSQL is out of disk, locked, killed and stopped for minutes while events are scored and commands go on; then
everything is read again. Scoring does not notice, every row is stored once as it was said, the replay changes nothing.

Run as root (a small file system is mounted): python -m tests.chaos.recorder [--full] [--json]
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

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
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.local_stack.unprivileged import unprivileged
from automl_stream.topic_log import TopicLog
from kafka_access.access import KafkaAccess
from schemas.messages import Command
from schemas.roles import OWNER
from schemas.topics import AUDIT_HEADS, COMMANDS, EVENTS, MODEL_UPDATES, PREDICTIONS, topic_name
from stream_apps.migrations.migrate import migrate
from tests.chaos.command import run_alone
from tests.live import Live
from tests.tiny import event_bytes
from tests.wait import wait_for

RATE, COMMANDS_SAID = 1_000, 3
STEP_SECONDS = 0.1
SMALL_DISK, LARGE_DISK = "2m", "2g"
DRAIN_SECONDS = 240.0
SCORED_SECONDS = 10.0
LASTING = {"out_of_disk": (60.0, 5.0), "locked": (60.0, 5.0), "killed": (0.0, 0.0), "stopped": (300.0, 20.0)}
"""Seconds of each fault in the full and in the short form."""


class Outage(Struct, frozen=True, kw_only=True):
    """`seconds`: that the fault lasted; `behind`: rows that waited in Kafka when it ended; `drain_seconds`: until all
    were stored, while as many a second as before went on coming."""

    seconds: float
    behind: int
    drain_seconds: float


class Figures(Struct, frozen=True, kw_only=True):
    """`outages`: by fault; `replayed`: rows that were read again and changed nothing."""

    outages: dict[str, Outage]
    rows: int
    replayed: int
    exact: bool


class Talk(threading.Thread):
    """Sends `RATE` events a second until it is told to stop."""

    def __init__(self, kafka: KafkaAccess, topic: str) -> None:
        super().__init__()
        self._producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "linger.ms": 20, "log_level": 2})
        self._topic = topic
        self._over = threading.Event()
        self.said = 0

    def run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(STEP_SECONDS):
            while self.said < (time.monotonic() - began) * RATE:
                k, self.said = self.said, self.said + 1
                self._producer.produce(self._topic, event_bytes(f"e{k}", 1 + k, a=k % 7), b"k", k % 2)
            self._producer.poll(0)

    def stop(self) -> None:
        """Every event is confirmed when this returns."""
        self._over.set()
        self.join()
        assert self._producer.flush(60) == 0


class Scene(Struct, frozen=True, kw_only=True):
    """What the faults happen to."""

    kafka: KafkaAccess
    live: Live
    talk: Talk
    supervisor: Supervisor
    service: Service
    url: str
    service_url: str
    disk: Path

    @contextmanager
    def out_of_disk(self) -> Iterator[None]:
        """Its tables have filled their disk, until that grows."""
        self.live.until(lambda: b"No space left on device" in self.live.log("record").read_bytes(), "a full disk",
                        DRAIN_SECONDS)
        yield
        system("mount", "-o", f"remount,size={LARGE_DISK}", str(self.disk))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Somebody holds the lock of the table."""
        with psycopg.connect(self.url) as connection:
            connection.execute(f'lock table "{self.live.name}".predictions in access exclusive mode'.encode())
            yield

    @contextmanager
    def killed(self) -> Iterator[None]:
        """It dies as in a power cut; the supervisor starts it again."""
        before = self.supervisor.restarts(self.service.name)
        self.supervisor.kill(self.service.name)
        yield
        wait_for(lambda: self.supervisor.restarts(self.service.name) > before or None, DRAIN_SECONDS)
        self.supervisor.await_ready(self.service.name)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It ends in good order and is away."""
        self.supervisor.stop(self.service.name)
        yield
        self.supervisor.start(self.service)


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Each fault in turn, then everything once more.

    Raises:
        AssertionError: where scoring waits for PostgreSQL, or a row is missing, doubled, altered, or changed by the
            replay.
    """
    with ExitStack() as ends:
        scene = set_up(kafka, directory, ends)
        live, talk = scene.live, scene.talk
        recorder = live.start("record", DATABASE_URL=scene.service_url)
        live.start("score")
        talk.start()
        outages = {name: suffer(scene, getattr(scene, name), long if full else short)
                   for name, (long, short) in LASTING.items()}
        talk.stop()
        live.until(lambda: caught_up(scene), "every row", DRAIN_SECONDS)
        before = contents(scene)
        assert before["rows"] == before["sources"] == talk.said
        live.kill(recorder)
        live.expect(recorder)
        rewind(scene)
        live.start("record", DATABASE_URL=scene.service_url)
        live.until(lambda: caught_up(scene), "the replay", DRAIN_SECONDS)
        assert contents(scene) == before
    return Figures(outages=outages, rows=talk.said, replayed=talk.said, exact=True)


def set_up(kafka: KafkaAccess, directory: Path, ends: ExitStack) -> Scene:
    """PostgreSQL with its tables on a small disk, a pipeline with a model, and who will send events."""
    ports, home, disk = unused_ports(), directory / "postgres", directory / "disk"
    disk.mkdir()
    system("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(disk))
    ends.callback(system, "umount", "--lazy", str(disk))
    unprivileged().own(disk / "tables")
    service = postgres.postgres_service(home, ports)
    supervisor = ends.enter_context(Supervisor(home))
    supervisor.start(service)
    postgres.create_databases(postgres.database_url(home, ports, "postgres"), ["automl_stream"])
    url = postgres.database_url(home, ports)
    postgres.create_roles(home, url)
    live = ends.enter_context(closing(Live(kafka, directory)))
    migrate(url, live.name)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (f"create tablespace small location '{disk / 'tables'}'",
                          f"grant create on tablespace small to {OWNER}",
                          f'alter table "{live.name}".predictions set tablespace small'):
            connection.execute(statement.encode())
    live.announce(1.0, -1)
    return Scene(kafka=kafka, live=live, talk=Talk(kafka, topic_name(live.name, EVENTS)), supervisor=supervisor,
                 service=service, url=url, service_url=postgres.service_url(home, ports), disk=disk)


def system(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr} (only root may mount)"


def suffer(scene: Scene, fault: Callable[[], AbstractContextManager[None]], seconds: float) -> Outage:
    """One fault for so long, and what it took to come back."""
    live, talk = scene.live, scene.talk
    with fault():
        began = time.monotonic()
        say_commands(live)
        scored(scene)
        time.sleep(seconds)  # the fault under test is its length
        scored(scene)
        lasted = time.monotonic() - began
    began, behind = time.monotonic(), talk.said - stored(scene)
    live.until(lambda: stored(scene) >= talk.said - RATE, "the backlog", DRAIN_SECONDS)
    return Outage(seconds=round(lasted, 1), behind=behind, drain_seconds=round(time.monotonic() - began, 1))


def scored(scene: Scene) -> None:
    """Everything that was sent by now is predicted, whatever PostgreSQL does."""
    said = scene.talk.said
    scene.live.until(lambda: scene.live.count(PREDICTIONS) >= said, "predictions", SCORED_SECONDS)


def say_commands(live: Live) -> None:
    live.say(COMMANDS, *(Command(command_id=f"c{k}", action="pause", by="ann", labelled_offset=0, issued_at=k)
                         for k in range(COMMANDS_SAID)))


def stored(scene: Scene) -> int:
    with psycopg.connect(scene.url) as connection:
        row = connection.execute(f'select count(*) from "{scene.live.name}".predictions'.encode()).fetchone()
    return int(row[0]) if row else 0


def contents(scene: Scene) -> dict[str, Any]:
    """What PostgreSQL holds, and the heads in Kafka; the audit verifies."""
    live = scene.live
    with psycopg.connect(scene.url) as connection:
        rows = connection.execute(
            'select count(*), count(distinct source), sum(hashtextextended(p::text, 0)) '
            f'from "{live.name}".predictions p'.encode()).fetchone()
        audit = connection.execute(f'select * from "{live.name}".audit order by position'.encode()).fetchall()
    assert rows is not None
    with open_record(scene.url, live.name) as record, closing(TopicLog(scene.kafka)) as log:
        assert not any(chain.difference for chain in prove(record.audit(), read_known(live.name, log)))
    assert len(audit) == len(LASTING) * COMMANDS_SAID + 1  # the model's announcement
    return {"rows": rows[0], "sources": rows[1], "digest": rows[2], "audit": audit,
            "heads": [(r.offset, r.value) for r in live.records(AUDIT_HEADS)]}


def places(live: Live) -> dict[tuple[str, int], int]:
    """End of each partition that the recorder reads here."""
    return {(topic_name(live.name, topic), partition): end for topic in (PREDICTIONS, COMMANDS, MODEL_UPDATES)
            for partition, (_, end) in live.bounds(topic).items()}


def caught_up(scene: Scene) -> bool:
    ends = places(scene.live)
    done = committed(scene.kafka, f"{scene.live.name}.record", ends)
    return all(done.get(place, 0) >= end for place, end in ends.items())


def rewind(scene: Scene) -> None:
    """Set the recorder's commits to 0, as soon as the broker has forgotten the one that was killed."""
    group, ends = f"{scene.live.name}.record", places(scene.live)
    admin = AdminClient({**scene.kafka.librdkafka(), "log_level": 2})
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(*place, 0) for place in ends])]

    def back() -> bool:
        for future in admin.alter_consumer_group_offsets(asked).values():
            with suppress(KafkaException):  # the group still has a member: ask again
                future.result(30)
        return set(committed(scene.kafka, group, ends).values()) == {0}

    wait_for(lambda: back() or None, 60)


if __name__ == "__main__":
    run_alone(run)
