"""Two trainers at once, on a real broker and a real MLflow store. Kills: tests/chaos/trainer.py."""

import signal
from collections.abc import Callable

import psutil
import pytest

from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from schemas.topics import TRAINER_STATE
from tests.trainer.workbench import HERE, PATIENCE_S, Workbench, wait_for

# MLflow's dependencies deprecate each other; what they say is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(900)]

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]


def test_of_two_trainers_one_leads(bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    leader = bench.start(instance="0")
    bench.start(instance="1")
    bench.label(stream(bench.pipeline, 300, 500))
    bench.wait_until_covered()
    leader.kill()
    bench.label(stream(bench.pipeline, 500, 700))
    bench.wait_until_covered()
    assert bench.announced_once()


def test_a_trainer_that_slept_while_another_took_over_loses_by_comparison_and_writes_no_state(
        bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.label(stream(bench.pipeline, 300, 600))
    sleeper = bench.start(str(HERE / "doomed_trainer.py"), "before announce", "SIGSTOP", instance="0")
    wait_for(lambda: psutil.Process(sleeper.pid).status() == psutil.STATUS_STOPPED)
    bench.start(instance="1")
    bench.wait_until_covered()
    states = bench.end_of(TRAINER_STATE)
    accepted = bench.models().accepted
    sleeper.send_signal(signal.SIGCONT)
    assert sleeper.wait(PATIENCE_S) == 1
    assert bench.end_of(TRAINER_STATE) == states
    assert bench.models().accepted == accepted
    assert len(bench.announcements()) == len(accepted) + 1
    assert len({a.announcement.decision_id for a in accepted}) == len(accepted)
