"""The short form of `make chaos`: after kills, zombies, broker restarts, joins and leaves every event has its end."""

from pathlib import Path

import pytest

from tests.chaos.run import Outcome, run
from tests.chaos.schedule import CHURN_QUICK, QUICK, churn, schedule

SEED = 1


def must_be_well(outcome: Outcome) -> None:
    assert outcome.ok, f"`python -m tests.chaos --quick --seed {outcome.seed}`: {outcome}"


@pytest.mark.timeout(900)
def test_after_kills_zombies_and_broker_restarts_nothing_is_lost_and_the_counts_are_exact(tmp_path: Path) -> None:
    outcome = run(QUICK, schedule(QUICK, SEED), tmp_path, SEED)
    must_be_well(outcome)
    assert outcome.rows >= 100_000
    assert (outcome.kills, outcome.zombies, outcome.broker_restarts) >= (10, 3, 2)


@pytest.mark.timeout(600)
def test_joins_and_leaves_every_five_seconds_skip_no_offset(tmp_path: Path) -> None:
    outcome = run(CHURN_QUICK, churn(CHURN_QUICK), tmp_path, SEED)
    must_be_well(outcome)
    assert outcome.leaves == CHURN_QUICK.leaves
    assert (outcome.crashes, outcome.unclean_stops) == (0, 0), "nothing that was done to a worker explains a crash"
