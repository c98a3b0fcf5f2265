"""PostgreSQL comes back: from a copy and what Kafka holds since, or from Kafka alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from automl_stream.group_commits import committed
from automl_stream.local_stack.postgres import binaries
from schemas.codec import encode
from schemas.messages import Label
from schemas.topics import EVENTS, LABELLED, LABELS, PREDICTIONS, topic_name
from stream_apps.migrations.migrate import migrate
from tests.conftest import Backends
from tests.live import Live
from tests.logins import writer_login
from tests.tiny import event_bytes

START = 946_684_800_000
TABLES = ("audit", "labels", "messages", "predictions")


class Kept:
    """A pipeline whose recorder and label join are stopped, whose tables are lost, and which are started again."""

    def __init__(self, backends: Backends, live: Live, login: str) -> None:
        self.backends, self.live, self.login = backends, live, login
        self.live.announce(1.0, -1)
        self.live.start("score")
        self.start()

    def start(self) -> None:
        self.readers = [self.live.start(service, DATABASE_URL=self.login) for service in ("record", "labels")]

    def stop(self) -> None:
        for process in self.readers:
            process.terminate()
            assert process.wait(20) == 0
            self.live.expect(process)

    def send(self, first: int, end: int) -> None:
        for k in range(first, end):
            self.live.write(EVENTS, k % 2, event_bytes(f"e{k}", START + k * 1_000, a=(k % 13) / 4 - 1.5), key=b"k")
        self.live.until(lambda: self.live.count(PREDICTIONS) == end, "predictions")
        for k in range(first, end):
            label = Label(event_id=f"e{k}", entity=f"e{k}", ts=START + (k + 5) * 1_000, label="yes", labeller="ada")
            self.live.write(LABELS, k % 2, encode(label), key=b"k")
        self.live.until(lambda: self.live.count(LABELLED) == end, "pairs")

    def rows(self) -> dict[str, list[str]]:
        with psycopg.connect(self.backends.database_url) as connection:
            return {table: sorted(map(repr, connection.execute(
                f'select * from "{self.live.name}".{table}'.encode()).fetchall())) for table in TABLES}

    def until_recorded(self, wanted: dict[str, list[str]]) -> None:
        self.live.until(lambda: self.rows() == wanted, "the rows that were there")

    def lose_tables(self) -> None:
        with psycopg.connect(self.backends.database_url) as connection:
            connection.execute(f'drop schema if exists "{self.live.name}" cascade'.encode())

    def postgres(self, program: str, *arguments: str) -> None:
        subprocess.run([binaries() / program, "--dbname", self.backends.database_url, *arguments], check=True,
                       timeout=60)

    def rewind(self, *services: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "automl_stream", "rewind", str(self.live.file), *services]
        return subprocess.run(command, check=False, timeout=90, capture_output=True, text=True,
                              env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": self.backends.kafka.servers,
                                                "DATABASE_URL": self.backends.database_url})

    def committed(self) -> dict[tuple[str, int], int]:
        """Of the label service."""
        name = topic_name(self.live.name, LABELS)
        return committed(self.backends.kafka, f"{self.live.name}.labels", [(name, 0), (name, 1)])


@pytest.fixture
def kept(backends: Backends, tmp_path: Path) -> Iterator[Kept]:
    live = Live(backends.kafka, tmp_path)
    migrate(backends.database_url, live.name)
    with writer_login(backends.database_url) as login:
        kept = Kept(backends, live, login)
        yield kept
        live.close()
    kept.lose_tables()


@pytest.mark.timeout(280)
def test_tables_come_back_from_a_copy_and_from_kafka_and_from_kafka_alone(kept: Kept, tmp_path: Path) -> None:
    copy = str(tmp_path / "copy")
    kept.send(0, 40)
    kept.live.until(lambda: len(kept.rows()["predictions"]) == 40 and len(kept.rows()["messages"]) >= 40, "rows")
    kept.postgres("pg_dump", "--format", "custom", "--schema", kept.live.name, "--file", copy)
    kept.send(40, 60)
    kept.live.until(lambda: len(kept.rows()["predictions"]) == 60 and len(kept.rows()["messages"]) >= 60, "rows")
    kept.stop()
    before, labelled = kept.rows(), kept.live.count(LABELLED)
    assert before["audit"]

    kept.lose_tables()
    refused = kept.rewind("labels")
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False), refused.stderr
    assert kept.committed(), "its labels would be read anew, and enter the training log twice"
    kept.postgres("pg_restore", "--exit-on-error", copy)
    assert len(kept.rows()["predictions"]) < 60
    assert kept.rewind("record", "labels").returncode == 0
    kept.start()
    kept.until_recorded(before)

    kept.stop()
    kept.lose_tables()
    migrate(kept.backends.database_url, kept.live.name)
    assert kept.rewind("record", "labels").returncode == 0
    kept.start()
    kept.until_recorded(before)
    assert kept.live.count(LABELLED) == labelled, "the training log has rows twice"
