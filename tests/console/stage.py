"""A stack as `automl-stream up` runs it, console included, with a short stream of payments played through it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg

from automl_stream.local_stack.ports import LOOPBACK, Ports, unused_ports
from automl_stream.topic_log import TopicLog
from schemas.codec import decode
from schemas.messages import Message
from schemas.topics import Topic, topic_name
from tests.conftest import Backends
from tests.wait import wait_for

NAME = "payments"
TOKEN = "ada-knows-this-one-and-nobody-else"
ROWS, TRAINED, PLAYED = 4_000, 800, 3_240  # 27 windows; the rest is for who wants to see more windows close
PATIENCE_SECONDS = 120.0
FoundT = TypeVar("FoundT")
MessageT = TypeVar("MessageT", bound=Message)


@dataclass(kw_only=True)
class Stage:
    """What runs, and where."""

    home: Path
    file: Path
    backends: Backends
    ports: Ports = field(default_factory=unused_ports)

    @property
    def url(self) -> str:
        """Of the console."""
        return f"http://{LOOPBACK}:{self.ports.console}"

    @property
    def environment(self) -> Mapping[str, str]:
        """Of every command."""
        return os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self.backends.kafka.servers, "DATABASE_URL": self.backends.database_url,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.home}/mlflow.db", "AUTOML_STREAM_HOME": str(self.home),
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": str(self.home / "artifacts"), "AUTOML_STREAM_TOKENS": f"ada:{TOKEN}"}

    def command(self, *arguments: str) -> str:
        """Run `automl-stream` to its end; what it printed."""
        done = subprocess.run([sys.executable, "-m", "automl_stream", *arguments], env=self.environment, text=True,
                              capture_output=True, check=False, timeout=280)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Of the pipeline's schema, as {}."""
        with psycopg.connect(self.backends.database_url) as connection:
            return connection.execute(query.replace("{}", f'"{NAME}"').encode()).fetchall()

    def count(self, topic: Topic) -> int:
        """How many records a topic was given."""
        log = TopicLog(self.backends.kafka)
        try:
            return sum(end for _, end in log.bounds(topic_name(NAME, topic)).values())
        finally:
            log.close()

    def newest(self, topic: Topic, kind: type[MessageT]) -> MessageT:
        """The newest record of a topic of one partition."""
        log, name = TopicLog(self.backends.kafka), topic_name(NAME, topic)
        try:
            _, end = log.bounds(name)[0]
            (record,) = log.read({name: {0: (end - 1, end)}})[name].records
            return decode(record.value or b"", kind)
        finally:
            log.close()

    def until(self, look: Callable[[], FoundT | None], seconds: float = PATIENCE_SECONDS) -> FoundT:
        """Wait for something true."""
        return wait_for(look, seconds)

    def log(self, service: str) -> str:
        """What a service has written."""
        return (self.home / "logs" / f"{service}.log").read_text()

    @contextmanager
    def up(self) -> Iterator[None]:
        """`automl-stream up`, until the block ends."""
        options = [part for port in self.ports.of(*Ports.__struct_fields__) for part in (port.option, str(port.number))]
        process = subprocess.Popen([sys.executable, "-m", "automl_stream", "up", str(self.file), *options],
                                   env=self.environment, text=True, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C ends everything" not in said:
                line = process.stdout.readline()
                assert line, f"it ended: {said}"
                said += line
            yield
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def play(self) -> None:
        """A first model on the first rows, then the others through the loop, and wait until it is on record."""
        whole, first = self.home / "whole.csv", self.home / "first.csv"
        self.command("scenario", NAME, "--rows", str(ROWS), "--seed", "0", "--out", str(whole))
        first.write_text("".join(whole.read_text().splitlines(keepends=True)[:PLAYED + 1]))
        self.command("bootstrap", str(first), "--pipeline", str(self.file), "--rows", str(TRAINED))
        self._replay(first, TRAINED)
        self.until(lambda: self.rows("select count(*) from {}.predictions") == [(PLAYED - TRAINED,)])
        self.until(lambda: self.rows("select count(*) > 0 from {}.alerts") == [(True,)])
        self.until(lambda: self.rows("select count(*) > 0 from {}.decisions where verdict = 'promoted'") == [(True,)])

    def play_on(self) -> None:
        """The rows that are left."""
        self._replay(self.home / "whole.csv", PLAYED)

    def _replay(self, data: Path, row: int) -> None:
        self.command("replay", str(data), "--pipeline", str(self.file), "--from-row", str(row))


def pipeline_file(place: Path) -> Path:
    """Payments in windows of 20 minutes, refreshed often enough for so few rows."""
    text = Path("pipelines/payments.toml").read_text().replace("windows = [2000,", "windows = [1000,")
    file = place / f"{NAME}.toml"
    file.write_text(text.replace('size = "50m"', 'size = "20m"'))
    return file
