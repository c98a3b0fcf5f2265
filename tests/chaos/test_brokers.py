"""Three brokers: leaders die one after the other, then all of them for longer than a delivery may take."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from automl_stream import group_commits
from automl_stream.verify.difference import Seen
from automl_stream.verify.sources import check_sources
from schemas.topics import EVENTS, PREDICTIONS, topic_name
from tests.chaos.brokers import Brokers
from tests.chaos.impatient import DELIVERY_SECONDS
from tests.chaos.stage import Stage, stage

RATE = 1_000
PATIENCE_SECONDS = 300.0
NODES = 3


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with Brokers(tmp_path_factory.mktemp("brokers"), NODES) as found:
        yield found


def wait(found: Stage, condition: Callable[[], object], what: str) -> None:
    assert found.until(condition, PATIENCE_SECONDS), f"waited for {what}\n{found.logs()}"


def more_predictions(found: Stage) -> None:
    """The plane works: it goes on writing."""
    seen: list[int] = []

    def further() -> bool:
        seen.append(found.live.count(PREDICTIONS))
        return seen[-1] > seen[0] + RATE

    wait(found, further, "predictions")


def committed(found: Stage) -> dict[int, tuple[int, int]]:
    """What the group says is done, as bounds of `events`."""
    name, group = topic_name(found.live.name, EVENTS), f"{found.live.name}.score"
    places = [(name, partition) for partition in found.live.bounds(EVENTS)]
    done = group_commits.committed(found.brokers.kafka, group, places)
    return {partition: (0, done.get((topic, partition), 0)) for topic, partition in places}


def nothing_committed_early(found: Stage) -> bool:
    """Each event that the group has committed ended as something, and is covered by a checkpoint."""
    done = committed(found)
    covered = {partition: state.covered for partition, state in found.live.checkpoints().items()}
    assert all(end <= covered.get(partition, 0) for partition, (_, end) in done.items()), (done, covered)
    assert list(check_sources(found.live.reading(done), Seen())) == []
    return True


@pytest.mark.timeout(1200)
def test_while_leaders_change_nothing_is_lost_and_the_counts_are_exact(brokers: Brokers, tmp_path: Path) -> None:
    with stage(brokers, tmp_path, workers=2, seed=31) as found:
        found.flow.start(RATE)
        more_predictions(found)
        for node in range(NODES):
            brokers.kill(node)
            more_predictions(found)
            brokers.start(node)
            wait(found, brokers.complete, "every replica to be in step")
        assert found.drain(), found.logs()
        verdict = found.verdict()[0]
        assert (verdict.lost, verdict.conflicting, verdict.counts_exact, verdict.differences) == (0, 0, True, 0), (
            verdict.first)
        assert verdict.rows == found.flow.sent


@pytest.mark.timeout(1200)
def test_when_all_brokers_are_away_for_longer_than_a_delivery_nothing_is_lost_or_committed_early(
        brokers: Brokers, tmp_path: Path) -> None:
    with stage(brokers, tmp_path, workers=2, seed=32, module="tests.chaos.impatient") as found:
        found.flow.start(RATE)
        # Who is between two assignments when the brokers go has nothing to deliver, and waits for as long as it takes.
        wait(found, lambda: all(map(found.fleet.working, range(found.fleet.count))), "every worker to have partitions")
        more_predictions(found)
        wait(found, lambda: all(end for _, end in committed(found).values()), "commits")
        for node in range(NODES):
            brokers.kill(node)
        down = time.monotonic()
        wait(found, lambda: time.monotonic() - down > 2 * DELIVERY_SECONDS and found.fleet.crashes > 0,
             "workers to give up")
        for node in range(NODES):
            brokers.start(node)
        wait(found, brokers.serving, "the brokers")
        wait(found, lambda: nothing_committed_early(found), "what is committed")
        more_predictions(found)
        wait(found, lambda: nothing_committed_early(found), "what is committed")
        assert found.drain(), found.logs()
        verdict = found.verdict()[0]
        assert (verdict.lost, verdict.conflicting, verdict.counts_exact, verdict.differences) == (0, 0, True, 0), (
            verdict.first)
        assert verdict.rows == found.flow.sent
