"""The supervisor restarts, gives up, recovers orphans, and leaves no process behind; with real child processes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from automl_stream.local_stack.errors import AlreadyRunning, ServiceFailed, UnknownService
from automl_stream.local_stack.processes import ProcessRecord, StackState, read_state, write_state
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.supervisor import Supervisor, end_stack
from automl_stream.services import await_doors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SLEEP = ("sleep", "600")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)
PARENT = """
import pathlib, sys
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.supervisor import Supervisor
with Supervisor(pathlib.Path(sys.argv[1])) as supervisor:
    supervisor.start(Service(name="sleeper", command=("sleep", "600")))
    print("ready", flush=True)
    supervisor.wait()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor of a fresh home."""
    with Supervisor(tmp_path) as supervisor:
        yield supervisor


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that supervises one sleeper in the same home."""
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_started_service_is_alive_and_on_record(supervisor: Supervisor) -> None:
    supervisor.start(Service(name="sleeper", command=SLEEP))
    assert supervisor.is_alive("sleeper")
    assert supervisor.rss()["sleeper"] > 0
    state = read_state(supervisor.home)
    assert state
    assert [child.pid for child in state.children] == [supervisor.pids()["sleeper"]]


def test_a_stopped_service_stays_stopped(supervisor: Supervisor) -> None:
    supervisor.start(Service(name="sleeper", command=SLEEP))
    pid = supervisor.pids()["sleeper"]
    supervisor.stop("sleeper")
    assert not supervisor.is_alive("sleeper")
    assert not psutil.pid_exists(pid)


def test_a_killed_service_is_restarted_and_counted(supervisor: Supervisor, wait_for: Callable[..., None]) -> None:
    supervisor.start(Service(name="sleeper", command=SLEEP, restart_delay=0.01))
    first = supervisor.pids()["sleeper"]
    supervisor.kill("sleeper", signal.SIGKILL)
    wait_for(lambda: supervisor.pids().get("sleeper", first) != first)
    assert supervisor.restarts("sleeper") == 1


def test_a_service_that_keeps_crashing_is_given_up_with_its_last_words(supervisor: Supervisor) -> None:
    crash = Service(name="crash", command=("sh", "-c", "echo the reason; exit 3"), restart_delay=0.01, max_restarts=2,
                    infrastructure=True)
    supervisor.launch(crash, settled=True)
    with pytest.raises(ServiceFailed, match=r"(?s)crash ended with code 3.*the reason"):
        supervisor.wait()
    assert supervisor.restarts("crash") == 2


def test_a_service_that_says_it_is_hopeless_is_given_up_at_once_and_takes_no_other_with_it(
    supervisor: Supervisor, wait_for: Callable[..., None]
) -> None:
    hopeless = Service(name="hopeless", command=("sh", "-c", "echo no library; exit 2"), restart_delay=0.01)
    supervisor.launch(hopeless, settled=True)
    wait_for(lambda: given_up(supervisor, "hopeless"))
    assert supervisor.restarts("hopeless") == 0
    supervisor.require(lambda service: service.name != "hopeless")
    with pytest.raises(ServiceFailed, match=r"(?s)hopeless ended with code 2.*no library"):
        supervisor.require(lambda service: service.name == "hopeless")
    floor = Service(name="floor", command=("sh", "-c", "exit 3"), max_restarts=0, infrastructure=True)
    supervisor.launch(floor, settled=True)
    with pytest.raises(ServiceFailed, match="floor ended with code 3"):
        supervisor.wait()


def given_up(supervisor: Supervisor, name: str) -> bool:
    try:
        supervisor.require(lambda service: service.name == name)
    except ServiceFailed:
        return True
    return False


def test_a_service_that_ends_before_it_is_ready_is_not_restarted_but_reported(supervisor: Supervisor) -> None:
    failing = Service(name="failing", command=("sh", "-c", "echo no disk; exit 1"), ready=lambda: False)
    with pytest.raises(ServiceFailed, match=r"(?s)ended with code 1.*no disk"):
        supervisor.start(failing)
    assert supervisor.restarts("failing") == 0


def test_a_service_that_is_not_ready_in_time_is_reported(supervisor: Supervisor) -> None:
    with pytest.raises(ServiceFailed, match="was not ready within"):
        supervisor.start(Service(name="slow", command=SLEEP, ready=lambda: False, ready_within=0.1))


def test_doors_are_waited_for_and_one_that_never_opens_is_told_and_ends_no_other(supervisor: Supervisor) -> None:
    said: list[str] = []
    opened = iter([False, True])
    supervisor.launch(Service(name="shut", command=("sh", "-c", "echo no port; exit 2")), settled=True)
    supervisor.launch(Service(name="open", command=SLEEP, ready=lambda: next(opened)), settled=True)
    await_doors(supervisor, ["shut", "open"], said.append)
    assert list(opened) == []
    assert len(said) == 1
    assert re.search("(?s)shut ended with code 2.*no port", said[0])
    assert supervisor.is_alive("open")


def test_a_job_that_ends_well_is_neither_restarted_nor_a_failure(
    supervisor: Supervisor, wait_for: Callable[..., None]
) -> None:
    supervisor.launch(Service(name="job", command=("true",), restart=False), settled=True)
    supervisor.start(Service(name="sleeper", command=SLEEP))
    wait_for(lambda: not supervisor.is_alive("job"))
    supervisor.kill("sleeper")
    wait_for(lambda: supervisor.restarts("sleeper") == 1)  # the monitor has gone round since
    assert supervisor.restarts("job") == 0


def test_leaving_ends_also_the_deaf_and_the_grandchildren(
    tmp_path: Path, wait_for: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl_stream.local_stack.supervisor.GRACE_SECONDS", {False: 0.2, True: 0.2})
    with Supervisor(tmp_path) as supervisor:
        log = tmp_path / "logs" / "deaf.log"
        supervisor.start(Service(name="deaf", command=STUBBORN, ready=lambda: "deaf" in log.read_text()))
        supervisor.start(Service(name="family", command=("sh", "-c", "sleep 600 & sleep 600")))
        pids = supervisor.pids()
        wait_for(lambda: len(psutil.Process(pids["family"]).children()) == 2)
        everyone = [pids["deaf"], pids["family"], *(p.pid for p in psutil.Process(pids["family"]).children())]
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in everyone))
    assert read_state(tmp_path) is None


def test_a_second_supervisor_of_a_living_home_is_refused(supervisor: Supervisor) -> None:
    with pytest.raises(AlreadyRunning, match="already runs"), Supervisor(supervisor.home):
        pass


def test_an_unknown_name_is_an_error_that_names_the_known(supervisor: Supervisor) -> None:
    supervisor.start(Service(name="sleeper", command=SLEEP))
    with pytest.raises(UnknownService, match="sleeper"):
        supervisor.restarts("nobody")


def test_orphans_of_a_killed_parent_are_ended_by_the_next(
    tmp_path: Path, parent: subprocess.Popen[str], wait_for: Callable[..., None]
) -> None:
    state = read_state(tmp_path)
    assert state
    orphan = state.children[0].pid
    parent.kill()
    parent.wait()
    assert psutil.pid_exists(orphan)
    with Supervisor(tmp_path) as supervisor:
        wait_for(lambda: not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE)
        assert supervisor.pids() == {}


def test_a_process_that_only_has_an_orphans_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as innocent:
        other = ProcessRecord(name="sleeper", pid=innocent.pid, created=1.0)
        write_state(tmp_path, StackState(parent=other, children=(other,)))
        with Supervisor(tmp_path):
            assert innocent.poll() is None
        innocent.kill()


def test_down_ends_a_living_parent_and_its_children(tmp_path: Path, parent: subprocess.Popen[str]) -> None:
    state = read_state(tmp_path)
    assert state
    assert end_stack(tmp_path)
    parent.wait()
    assert state.children[0].process() is None
    assert read_state(tmp_path) is None


def test_down_of_an_empty_home_finds_nothing(tmp_path: Path) -> None:
    assert not end_stack(tmp_path)
