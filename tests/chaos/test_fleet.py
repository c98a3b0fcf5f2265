"""The keeper starts who ended again, counts only who ended by itself, and knows who is at work."""

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
import psutil
import pytest

from tests.chaos.fleet import Fleet
from tests.live import Live
from tests.wait import wait_for

LONG, SHORT = ("sleep", "600"), ("sh", "-c", "exit 3")


class Place:
    """Starts sleepers where a pipeline would start score workers."""

    def __init__(self, directory: Path) -> None:
        self.command = LONG
        self.started: list[subprocess.Popen[bytes]] = []
        self._log = directory / "score.log"
        self._log.touch()

    def start(self, _service: str, _instance: str, module: str | None = None) -> subprocess.Popen[bytes]:
        assert module is None
        self.started.append(subprocess.Popen(self.command))
        return self.started[-1]

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    def log(self, _service: str) -> Path:
        return self._log

    def say(self, worker: str, *partitions: int, cut: bool = False) -> None:
        line = msgspec.json.encode({
            "event": "partitions assigned", "instance": worker, "covered": {str(p): 7 for p in partitions},
            "timestamp": datetime.now(UTC).isoformat()}) + b"\n"
        with self._log.open("ab") as log:
            log.write(line[:40] + b"\n" if cut else line)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    for process in found.started:
        process.kill()
        process.wait()


@pytest.fixture
def fleet(place: Place) -> Fleet:
    found = Fleet(live=cast("Live", place), count=2)
    found.start()
    return found


def ticked(fleet: Fleet, place: Place, starts: int) -> bool:
    fleet.tick()
    return len(place.started) == starts


def test_a_killed_worker_comes_back_after_its_time_and_is_no_crash(fleet: Fleet, place: Place) -> None:
    fleet.kill(1, away=0.1)
    killed = time.monotonic()
    fleet.tick()
    assert not fleet.alive(1)
    wait_for(lambda: ticked(fleet, place, 3), 10)
    assert time.monotonic() - killed >= 0.1
    assert (fleet.crashes, fleet.alive(1)) == (0, True)


def test_a_worker_that_ended_by_itself_is_counted_and_started_again(fleet: Fleet, place: Place) -> None:
    place.started[0].kill()
    wait_for(lambda: ticked(fleet, place, 3), 10)
    assert fleet.crashes == 1


def test_a_worker_that_leaves_when_asked_is_no_crash_and_joins_again(fleet: Fleet, place: Place) -> None:
    fleet.leave(0, away=0.0)
    assert not fleet.alive(0)
    wait_for(lambda: ticked(fleet, place, 3), 10)
    assert fleet.crashes == 0


def test_a_zombie_stands_still_and_then_goes_on(fleet: Fleet, place: Place) -> None:
    process = psutil.Process(place.started[0].pid)
    fleet.freeze(0, away=0.2)
    wait_for(lambda: process.status() == psutil.STATUS_STOPPED, 10)
    wait_for(lambda: ticked(fleet, place, 2) and fleet.alive(0), 10)
    wait_for(lambda: process.status() != psutil.STATUS_STOPPED, 10)
    assert fleet.crashes == 0


def test_a_worker_works_once_it_has_said_so_since_its_start(fleet: Fleet, place: Place) -> None:
    place.say("0", 0, 2, cut=True)
    place.say("1")
    fleet.tick()
    assert (fleet.working(0), fleet.working(1)) == (False, False)
    place.say("0", 2, 0)
    fleet.tick()
    assert (fleet.working(0), fleet.working(0, seconds=60), fleet.working(1)) == (True, False, False)
    assert [(word.worker, word.partitions) for word in fleet.assigned] == [("1", ()), ("0", (0, 2))]
    fleet.kill(0, away=0.0)
    fleet.tick()
    assert not fleet.working(0)


def test_stopping_gives_every_exit_code_also_of_a_zombie(place: Place) -> None:
    fleet = Fleet(live=cast("Live", place), count=2)
    fleet.start()
    fleet.freeze(1, away=60.0)
    assert fleet.stop() == [-15, -15]
