"""A seed is a schedule: the same everywhere, complete, and spread over the run."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.schedule import CHURN_QUICK, FULL, QUICK, SESSION_SECONDS, Plan, churn, schedule

seeds = st.integers(0, 2**32)


@given(seeds)
def test_a_seed_always_gives_the_same_schedule(seed: int) -> None:
    assert schedule(QUICK, seed) == schedule(QUICK, seed)
    assert schedule(QUICK, seed) != schedule(QUICK, seed + 1)


@given(seeds, st.sampled_from([QUICK, FULL]))
def test_a_schedule_holds_every_fault_of_its_plan_within_the_run(seed: int, plan: Plan) -> None:
    faults = schedule(plan, seed)
    kinds = [fault.kind for fault in faults]
    assert {kind: kinds.count(kind) for kind in ("kill", "zombie", "leave", "broker")} == {
        "kill": plan.kills, "zombie": plan.zombies, "leave": plan.leaves, "broker": plan.brokers}
    assert all(0 < fault.at < plan.seconds and 0 <= fault.worker < plan.workers for fault in faults)
    assert list(faults) == sorted(faults, key=lambda fault: fault.at)


@given(seeds)
def test_every_zombie_sleeps_past_the_session_and_some_kills_last_as_long(seed: int) -> None:
    faults = schedule(FULL, seed)
    assert all(fault.away > SESSION_SECONDS for fault in faults if fault.kind == "zombie")
    long = [fault.away > SESSION_SECONDS for fault in faults if fault.kind == "kill"]
    assert any(long)
    assert not all(long)


@given(seeds)
def test_between_two_kills_of_the_broker_there_is_time_to_start(seed: int) -> None:
    moments = [fault.at for fault in schedule(FULL, seed) if fault.kind == "broker"]
    assert all(later - earlier > 20 for earlier, later in pairwise(moments))


@pytest.mark.parametrize(("plan", "kills", "zombies", "brokers", "events"), [
    (QUICK, 10, 3, 2, 100_000), (FULL, 100, 20, 20, 1_000_000)])
def test_the_plans_are_what_was_promised(plan: Plan, kills: int, zombies: int, brokers: int, events: int) -> None:
    assert plan.kills >= kills
    assert plan.zombies >= zombies
    assert plan.brokers >= brokers
    assert plan.events >= events


def test_the_churn_alternates_between_leaving_and_joining_every_five_seconds() -> None:
    assert [(fault.at, fault.away) for fault in churn(CHURN_QUICK)] == [(5, 5), (15, 5), (25, 5), (35, 5)]
