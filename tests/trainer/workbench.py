"""One pipeline on a real broker and a real MLflow store, and the trainers that run on it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import (
    Command,
    Configuration,
    DriftAlert,
    LabelledEvent,
    ModelAnnouncement,
    TrainerState,
    TrainingDecision,
)
from schemas.model_log import ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import (
    COMMANDS,
    CONFIG,
    DRIFT_ALERTS,
    LABELLED,
    MODEL_UPDATES,
    TRAINER_STATE,
    TRAINING_DECISIONS,
    Topic,
    topic_name,
)
from trainer.bootstrap import Connections, Summary, bootstrap
from trainer.kafka_log import LogReader, LogWriter
from trainer.registration import ABANDONED, DECISION, EVIDENCE
from trainer.settings import RegistrySettings

HERE = Path(__file__).parent
PATIENCE_S = 240
MORE_ROWS = 200


class Workbench:
    """One pipeline on the broker, and the trainers that run on it."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, registry: RegistrySettings, folder: Path,
                 definition: str) -> None:
        self.pipeline = pipeline
        self.connections = Connections(kafka=kafka, registry=registry)
        self.reader, self.writer = LogReader(self.connections.kafka), LogWriter(self.connections.kafka)
        self._file = folder / "pipeline.toml"
        self._file.write_text(definition)
        self.definition = definition
        self._log = (folder / "trainer.log").open("w")
        self._environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.servers, "AUTOML_STREAM_PIPELINE": str(self._file), "OMP_NUM_THREADS": "1",
            "MLFLOW_TRACKING_URI": registry.tracking_uri, "MLFLOW_DEFAULT_ARTIFACT_ROOT": registry.artifact_root or "",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def bootstrap(self, rows: list[LabelledEvent]) -> Summary:
        return bootstrap(self.pipeline, rows, self.connections, lambda: 1, lambda _: None)

    def start(self, *command: str, instance: str = "0") -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, *(command or ("-m", "trainer"))], stdout=self._log,
                                   stderr=self._log, cwd=HERE.parents[1],
                                   env=self._environment | {"AUTOML_STREAM_INSTANCE": instance})
        self.processes.append(process)
        return process

    def label(self, rows: list[LabelledEvent]) -> None:
        for row in rows:
            self.writer.enqueue(self._topic(LABELLED), row.event_id, encode(row))
        self.writer.confirm()

    def kill_at(self, step: str, more_rows: Callable[[int, int], list[LabelledEvent]]) -> None:
        """Run a trainer that is killed when it reaches a step; where it runs out of rows before, more come: rows
        `first` to `last` of the stream."""
        doomed = self.start(str(HERE / "doomed_trainer.py"), step)
        deadline = time.monotonic() + PATIENCE_S
        while doomed.poll() is None:
            assert time.monotonic() < deadline, f"step {step} is never reached"
            if self.covers_all():
                begin = self.state().covered
                self.label(more_rows(begin, begin + MORE_ROWS))
            time.sleep(0.1)
        assert doomed.returncode == -signal.SIGKILL, step

    def alert(self, alert: DriftAlert) -> None:
        self.writer.write(self._topic(DRIFT_ALERTS), alert.alert_id, encode(alert))

    def command(self, command: Command) -> None:
        self.writer.write(self._topic(COMMANDS), command.command_id, encode(command))

    def configure(self, text: str, labelled_offset: int) -> None:
        """Publish the first version of the definition."""
        self.writer.write(self._topic(CONFIG), self.pipeline.name, encode(Configuration(
            text=text, digest="", replaces=-1, by="ada", labelled_offset=labelled_offset, issued_at=0)))

    def state(self) -> TrainerState:
        return [decode(value, TrainerState) for value in self._values(TRAINER_STATE)][-1]

    def decisions(self) -> list[TrainingDecision]:
        return [decode(value, TrainingDecision) for value in self._values(TRAINING_DECISIONS)]

    def models(self) -> ModelLog:
        log = ModelLog()
        for record in self.reader.read(self._topic(MODEL_UPDATES)):
            assert record.value is not None
            log.offer(record.offset, decode(record.value, ModelAnnouncement))
        return log

    def announcements(self) -> list[ModelAnnouncement]:
        return [decode(value, ModelAnnouncement) for value in self._values(MODEL_UPDATES)]

    def announced_once(self) -> bool:
        """Whether no decision was announced twice, and every announcement was accepted."""
        announced = [a.decision_id for a in self.announcements()]
        return len(announced) == len(set(announced)) == len(self.models().announced())

    def end_of(self, topic: Topic) -> int:
        return self.reader.bounds(self._topic(topic))[1]

    def covers_all(self) -> bool:
        state = self.state()
        covered = state.covered, state.covered_alerts, state.covered_commands
        return covered == tuple(map(self.end_of, (LABELLED, DRIFT_ALERTS, COMMANDS)))

    def reproduce(self, decision_id: str) -> tuple[int, str]:
        """Exit code and output of the command."""
        command = [sys.executable, "-m", "automl_stream", "reproduce", decision_id, "--pipeline", str(self._file)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parents[1],
                               env=self._environment)
        return ended.returncode, ended.stdout + ended.stderr

    def wait_until_covered(self) -> None:
        wait_for(self.covers_all)

    def versions(self) -> dict[str, ModelVersion]:
        """What the registry holds, by decision."""
        found = self._client.search_model_versions(f"name = '{self.pipeline.name}'", max_results=1_000)
        by_decision = {version.tags[DECISION]: version for version in found}
        assert len(by_decision) == len(found), "a decision has two versions"
        return by_decision

    def aliases(self) -> dict[str, str]:
        found = self._client.get_registered_model(self.pipeline.name).aliases
        return {alias: str(version) for alias, version in found.items()}

    def abandoned(self) -> set[str]:
        return {decision for decision, version in self.versions().items() if ABANDONED in version.tags}

    def without_pictures(self, newest: int | None = None) -> list[str]:
        """Runs of promoted decisions, of all or the newest, that lack them."""
        runs = [d.run for d in self.decisions() if d.verdict == "promoted" and d.run is not None]
        asked = runs if newest is None else runs[-newest:]
        return [run for run in asked if EVIDENCE not in self._client.get_run(run).data.tags]

    @cached_property
    def _client(self) -> MlflowClient:
        return MlflowClient(self.connections.registry.tracking_uri, self.connections.registry.tracking_uri)

    def _values(self, topic: Topic) -> list[bytes]:
        return [record.value for record in self.reader.read(self._topic(topic)) if record.value is not None]

    def _topic(self, topic: Topic) -> str:
        return topic_name(self.pipeline.name, topic)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.reader.close()
        self._log.close()


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)
