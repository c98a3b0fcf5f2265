"""`up` follows what `scale` wants; with real child processes that only sleep."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from automl_stream import score_workers
from automl_stream.local_stack.errors import NothingToScale, ServiceFailed, UnknownService
from automl_stream.local_stack.ports import LOOPBACK, METRICS_PORTS, Ports, unused_ports
from automl_stream.local_stack.processes import read_state
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.stack import Addresses
from automl_stream.local_stack.supervisor import Supervisor, end_stack
from automl_stream.local_stack.wanted import read_wanted
from automl_stream.scaling import MAX_SCORE_WORKERS
from automl_stream.score_workers import ScoreWorkers, scale
from automl_stream.services import DOORS, SINGLE, PipelineServices, door_tokens, ports_of
from kafka_access.access import KafkaAccess
from tests.tiny import tiny_pipeline
from tests.wait import wait_for

OWNER = """
import pathlib, sys
from automl_stream.local_stack.ports import Ports
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.score_workers import ScoreWorkers
from tests.scaling.test_score_workers import sleepers
home = pathlib.Path(sys.argv[1])
services = sleepers(home, Ports(metrics=int(sys.argv[2])))
with Supervisor(home) as supervisor:
    services.launch(supervisor, services.score_worker(0))
    workers = ScoreWorkers(supervisor, [services], 1, lambda sentence: print(sentence, file=sys.stderr))
    print("ready", flush=True)
    supervisor.wait(workers.settle)
"""


class Sleepers(PipelineServices, frozen=True, kw_only=True):
    """Score workers that do nothing."""

    def score_worker(self, number: int) -> Service:
        return msgspec.structs.replace(super().score_worker(number), command=("sleep", "600"))


def sleepers(home: Path, ports: Ports) -> Sleepers:
    addresses = Addresses(kafka=KafkaAccess(servers=""), database_url="", service_database_url="",
                          reader_database_url="", mlflow_uri="", artifact_root=None, mlflow_ui="")
    return Sleepers(file=home / "tiny.toml", pipeline=tiny_pipeline(), addresses=addresses, ports=ports, state=home)


@pytest.fixture
def ports() -> Ports:
    return unused_ports()


@pytest.fixture
def owner(tmp_path: Path, ports: Ports) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs one worker of the pipeline `tiny`."""
    command = [sys.executable, "-c", OWNER, str(tmp_path), str(ports.metrics)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        end_stack(tmp_path)


def running(home: Path) -> dict[str, int]:
    state = read_state(home)
    return {child.name: child.pid for child in (state.children if state else ()) if child.process()}


@pytest.mark.usefixtures("owner")
def test_workers_are_added_and_the_newest_removed_first_while_the_others_stay(tmp_path: Path) -> None:
    before = running(tmp_path)
    scale(tmp_path, "tiny", 3)
    grown = running(tmp_path)
    assert set(grown) == {"tiny-score-0", "tiny-score-1", "tiny-score-2"}
    scale(tmp_path, "tiny", 2)
    assert running(tmp_path) == {name: pid for name, pid in grown.items() if name != "tiny-score-2"}
    assert before.items() <= grown.items()
    scale(tmp_path, "tiny", 2)


@pytest.mark.usefixtures("owner")
def test_an_unknown_pipeline_is_an_error_that_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownService, match="no pipeline 'other' that can be scaled; there are tiny"):
        scale(tmp_path, "other", 2)


def test_where_nothing_runs_nothing_is_scaled(tmp_path: Path) -> None:
    with pytest.raises(NothingToScale, match="start it with `automl-stream up`"):
        scale(tmp_path, "tiny", 2)


def test_a_stack_that_demo_started_says_that_only_up_can(tmp_path: Path) -> None:
    with Supervisor(tmp_path), pytest.raises(UnknownService, match="only those of `automl-stream up` can"):
        scale(tmp_path, "tiny", 2)


def test_a_worker_without_a_port_is_not_started_and_the_stack_goes_on(
        owner: subprocess.Popen[str], tmp_path: Path, ports: Ports) -> None:
    number = ports.metrics + len(SINGLE) + len(DOORS) + 1
    with socket.create_server((LOOPBACK, number)), pytest.raises(ServiceFailed, match="cannot run 2 score workers"):
        scale(tmp_path, "tiny", 2)
    assert owner.stderr is not None
    said = owner.stderr.readline()
    assert f"stays at 1 score workers: Port {number} for the metrics of tiny-score-1 is taken" in said
    assert read_wanted(tmp_path) == {"tiny": 1}
    scale(tmp_path, "tiny", 2)


def test_a_stack_that_does_not_follow_is_not_waited_for_for_ever(
        tmp_path: Path, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_workers, "PATIENCE_SECONDS", 0.1)
    with Supervisor(tmp_path) as supervisor:
        workers = ScoreWorkers(supervisor, [sleepers(tmp_path, ports)], 1, print)
        with pytest.raises(ServiceFailed, match=r"did not come to 2 score workers within"):
            scale(tmp_path, "tiny", 2)
        workers.close()
        assert read_wanted(tmp_path) == {}


def test_a_killed_worker_comes_back_and_counts_as_running(owner: subprocess.Popen[str], tmp_path: Path) -> None:
    scale(tmp_path, "tiny", 2)
    old = running(tmp_path)["tiny-score-1"]
    os.killpg(old, 9)
    assert wait_for(lambda: running(tmp_path).get("tiny-score-1", old) != old, seconds=10)
    assert owner.poll() is None


def test_each_service_has_a_metrics_port_and_each_worker_an_instance_of_its_own(tmp_path: Path) -> None:
    services = msgspec.structs.replace(sleepers(tmp_path, Ports(metrics=20_000)), tokens={})
    workers = [services.score_worker(number) for number in range(MAX_SCORE_WORKERS)]
    found = [int(service.env["METRICS_PORT"]) for service in (*services.single(), *workers)]
    assert sorted(found) == list(range(20_000, 20_000 + METRICS_PORTS))
    assert [worker.env["AUTOML_STREAM_INSTANCE"] for worker in workers] == [str(k) for k in range(MAX_SCORE_WORKERS)]


def test_doors_open_where_there_are_tokens_each_pipeline_at_ports_of_its_own(tmp_path: Path) -> None:
    shut = sleepers(tmp_path, Ports())
    assert (shut.doors(), [service.name for service in shut.single()]) == ({}, [f"tiny-{name}" for name in SINGLE])
    found = msgspec.structs.replace(sleepers(tmp_path, ports_of(2, Ports())), tokens={"AUTOML_STREAM_TOKENS_FILE": "f"})
    ingestion, prediction = found.single()[-2:]
    assert found.doors() == {ingestion.name: "http://127.0.0.1:8021", prediction.name: "http://127.0.0.1:8022"}
    assert (ingestion.env["AUTOML_STREAM_INGESTION_PORT"], prediction.env["AUTOML_STREAM_PREDICTION_PORT"]) == (
        "8021", "8022")
    assert {door.env["AUTOML_STREAM_TOKENS_FILE"] for door in (ingestion, prediction)} == {"f"}


def test_a_home_keeps_a_token_that_only_its_owner_can_read_unless_tokens_are_given(tmp_path: Path) -> None:
    assert door_tokens(tmp_path, {"AUTOML_STREAM_TOKENS": "none"}) == {}
    assert not list(tmp_path.iterdir())
    file = Path(door_tokens(tmp_path, {})["AUTOML_STREAM_TOKENS_FILE"])
    token = file.read_text()
    assert (file.stat().st_mode & 0o777, len(token)) == (0o600, 48)
    door_tokens(tmp_path, {})
    assert file.read_text() == token
