"""The whole trainer on a real broker and a real MLflow store."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mlflow import MlflowClient

from schemas.codec import decode, encode
from schemas.messages import (
    Command,
    DriftAlert,
    LabelledEvent,
    Model,
    ModelAnnouncement,
    TrainerState,
    TrainingDecision,
)
from schemas.model_log import ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import (
    COMMANDS,
    DRIFT_ALERTS,
    LABELLED,
    MODEL_ARTIFACTS,
    MODEL_UPDATES,
    TRAINER_STATE,
    TRAINING_DECISIONS,
    Topic,
    topic_name,
)
from trainer.announce import Announcer, Parts
from trainer.bootstrap import Connections, Summary, bootstrap
from trainer.errors import AlreadyBootstrapped, BadArtifact, LostSlot, UnusableRows
from trainer.kafka_log import LogReader, LogWriter
from trainer.settings import RegistrySettings

# MLflow's dependencies deprecate each other; what they say is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(280)]

HERE = Path(__file__).parent
PATIENCE_S = 120
Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]


class Bench:
    """One pipeline on the broker, and the trainers that run on it."""

    def __init__(self, pipeline: Pipeline, servers: str, registry: RegistrySettings, folder: Path) -> None:
        self.pipeline = pipeline
        self.connections = Connections(kafka={"bootstrap.servers": servers}, registry=registry)
        self.reader, self.writer = LogReader(self.connections.kafka), LogWriter(self.connections.kafka)
        self._file = folder / "pipeline.toml"
        self._file.write_text((folder / "definition").read_text())
        self._log = (folder / "trainer.log").open("w")
        self._environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": servers, "AUTOML_STREAM_PIPELINE": str(self._file), "OMP_NUM_THREADS": "1",
            "MLFLOW_TRACKING_URI": registry.tracking_uri, "MLFLOW_ARTIFACT_ROOT": registry.artifact_root or "",
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

    def alert(self, alert: DriftAlert) -> None:
        self.writer.write(self._topic(DRIFT_ALERTS), alert.alert_id, encode(alert))

    def command(self, command: Command) -> None:
        self.writer.write(self._topic(COMMANDS), command.command_id, encode(command))

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

    def wait_until_covered(self) -> None:
        _, rows = self.reader.bounds(self._topic(LABELLED))
        _, alerts = self.reader.bounds(self._topic(DRIFT_ALERTS))
        _, commands = self.reader.bounds(self._topic(COMMANDS))

        def covered() -> tuple[int, int, int]:
            state = self.state()
            return state.covered, state.covered_alerts, state.covered_commands

        wait_for(lambda: covered() == (rows, alerts, commands))

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


@pytest.fixture
def bench(kafka_pipeline: Pipeline, bootstrap_servers: str, registry_settings: RegistrySettings,
          tmp_path: Path, definition: Callable[[Pipeline], str]) -> Iterator[Bench]:
    (tmp_path / "definition").write_text(definition(kafka_pipeline))
    bench = Bench(kafka_pipeline, bootstrap_servers, registry_settings, tmp_path)
    yield bench
    bench.close()


def test_bootstrap_trains_registers_and_announces_version_1(bench: Bench, stream: Stream) -> None:
    summary = bench.bootstrap(stream(bench.pipeline, 0, 300))
    current = bench.models().current
    assert current is not None
    assert (current.epoch, current.announcement.version, summary.rows) == (0, "1", 300)
    assert [d.verdict for d in bench.decisions()] == ["trained", "promoted"]
    assert bench.state().champion_epoch == 0
    client = MlflowClient(bench.connections.registry.tracking_uri)
    assert str(client.get_model_version_by_alias(bench.pipeline.name, "champion").version) == "1"


def test_bootstrap_refuses_where_a_model_is_accepted(bench: Bench, stream: Stream) -> None:
    rows = stream(bench.pipeline, 0, 300)
    bench.bootstrap(rows)
    with pytest.raises(AlreadyBootstrapped, match="version 1"):
        bench.bootstrap(rows)
    assert len(bench.announcements()) == 1


def test_bootstrap_goes_on_after_a_crash_between_its_rows(bench: Bench, stream: Stream) -> None:
    rows = stream(bench.pipeline, 0, 300)
    bench.label(rows[:120])
    bench.bootstrap(rows)
    assert bench.state().covered == 300


def test_bootstrap_refuses_a_log_with_rows_of_another_file(bench: Bench, stream: Stream) -> None:
    rows = stream(bench.pipeline, 0, 300)
    bench.label([msgspec.structs.replace(rows[0], source="bootstrap-beef-0")])
    with pytest.raises(UnusableRows, match="bootstrap-beef-0"):
        bench.bootstrap(rows)


def test_labelled_rows_lead_to_an_announced_promotion(bench: Bench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.start()
    bench.label(stream(bench.pipeline, 300, 600))
    bench.wait_until_covered()
    current = bench.models().current
    assert current is not None
    assert current.epoch == bench.state().champion_epoch > 0
    assert "promoted" in {d.verdict for d in bench.decisions() if d.trigger == "refresh"}


def test_an_alert_opens_an_incident_that_settles_with_a_new_profile(bench: Bench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.alert(DriftAlert(
        alert_id="a1", kind="covariate", window_start=300_000, window_end=310_000, scale=1, onset=300_000,
        features=["x"], sentence="x moved", budget="", profile="", labelled_offset=300,
        model=Model(version="1", digest="", epoch=0)))
    bench.label(stream(bench.pipeline, 300, 800))
    bench.start()
    bench.wait_until_covered()
    verdicts = [(d.trigger, d.verdict) for d in bench.decisions() if d.incident_id is not None]
    assert verdicts[0] == ("alert: covariate", "deferred")
    assert verdicts[-1] == ("incident", "settled")
    renewed = [a for a in bench.models().accepted if a.announcement.reason == "profile"]
    assert len(renewed) == 1
    assert renewed[0].profile_epoch == renewed[0].epoch


def test_commands_are_obeyed_at_their_row_and_an_earlier_version_serves_again_as_the_registry_holds_it(
        bench: Bench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.label(stream(bench.pipeline, 300, 700))
    for number, (action, at, share) in enumerate([("pause", 300, None), ("resume", 350, None), ("promote", 600, 0.25),
                                                  ("rollback", 10**9, None)]):
        bench.command(Command(command_id=f"k{number}", action=action, version="1" if share else None, share=share,
                              by="ada", labelled_offset=at, issued_at=0))
    bench.start()
    bench.wait_until_covered()
    said = [(d.trigger, d.verdict, d.at, d.by) for d in bench.decisions() if d.by is not None]
    assert said == [("command: pause", "paused", 300, "ada"), ("command: resume", "resumed", 350, "ada"),
                    ("command: promote", "canary", 600, "ada"), ("command: rollback", "rolled-back", 700, "ada")]
    canary = bench.models().canaries[0].announcement
    assert (canary.version, canary.share) == ("1", 0.25)
    client = MlflowClient(bench.connections.registry.tracking_uri)
    assert str(client.get_model_version_by_alias(bench.pipeline.name, "challenger").version) == "1"
    versions = client.search_model_versions(f"name = '{bench.pipeline.name}'")
    assert {str(v.version) for v in versions} == {a.version for a in bench.announcements()}


@pytest.mark.timeout(900)
def test_killed_at_any_step_each_decision_announces_once_and_all_are_those_of_an_undisturbed_run(
        bench: Bench, stream: Stream, make_driver: Callable[..., Any]) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.label(stream(bench.pipeline, 300, 1_500))
    for step in ("fit", "export", "upload", "register", "artifact", "announce", "decision", "commit"):
        doomed = bench.start(str(HERE / "doomed_trainer.py"), step)
        assert doomed.wait(PATIENCE_S) == -signal.SIGKILL, step
    bench.start()
    bench.wait_until_covered()
    announced = [a.decision_id for a in bench.announcements()]
    assert len(announced) == len(set(announced)) == len(bench.models().accepted)
    versions = MlflowClient(bench.connections.registry.tracking_uri).search_model_versions(
        f"name = '{bench.pipeline.name}'")
    tags = {v.tags["automl_stream.decision_id"] for v in versions}
    assert len(versions) == len(tags) == len({a.version for a in bench.announcements()})
    undisturbed = make_driver(bench.pipeline, stream(bench.pipeline, 0, 300))
    undisturbed.rows(stream(bench.pipeline, 300, 1_500))
    assert [(d.trigger, d.verdict, d.at) for d in bench.decisions()][2:] == undisturbed.verdicts()


def test_of_two_trainers_one_leads(bench: Bench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    leader = bench.start(instance="0")
    bench.start(instance="1")
    bench.label(stream(bench.pipeline, 300, 500))
    bench.wait_until_covered()
    leader.kill()
    bench.label(stream(bench.pipeline, 500, 700))
    bench.wait_until_covered()
    announced = [a.decision_id for a in bench.announcements()]
    assert len(announced) == len(set(announced)) == len(bench.models().accepted)


def test_an_announcement_against_a_former_champion_is_lost(bench: Bench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    announcer = Announcer(bench.pipeline, bench.reader, bench.writer, lambda: 1)
    parts = Parts(announcer.store(b"model"), announcer.store(b"profile"))
    announcer.announce(0, "2", parts, "test", "d2")
    with pytest.raises(LostSlot):
        announcer.announce(0, "3", parts, "test", "d3")


def test_an_artifact_of_several_chunks_is_read_back_verified(bench: Bench) -> None:
    announcer = Announcer(bench.pipeline, bench.reader, bench.writer, lambda: 1)
    data = os.urandom(1_300_000)
    artifact = announcer.store(data)
    assert announcer.load(artifact) == data
    bench.writer.write(topic_name(bench.pipeline.name, MODEL_ARTIFACTS), "other/0", b"noise")
    with pytest.raises(BadArtifact, match="announce it again"):
        announcer.load(msgspec.structs.replace(artifact, digest="0" * 64))
