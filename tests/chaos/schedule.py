"""When which fault comes: pure, so that a seed gives the same schedule everywhere."""

from collections.abc import Iterator
from random import Random
from typing import Literal

from msgspec import Struct

SESSION_SECONDS = 6.0  # of the score workers: who is silent for longer loses its partitions
SETTLED_SECONDS = 4.0  # at most; on average half of it
QUIET_SECONDS = 5.0  # at the beginning, and between two leaves of the churn

Kind = Literal["kill", "zombie", "leave", "broker"]


class Fault(Struct, frozen=True, kw_only=True, order=True):
    """One fault: `at` seconds after the start, to a worker (a broker fault: to the broker) that is `away` so long.

    A worker is hit when it has been at work for `settled` seconds, later than planned if need be.
    kill: SIGKILL; zombie: SIGSTOP, then SIGCONT; leave: SIGTERM, a start is a join; broker: SIGKILL of the broker.
    """

    at: float
    kind: Kind
    worker: int = 0
    away: float = 0.0
    settled: float = 0.0


class Plan(Struct, frozen=True, kw_only=True):
    """How much is done to how many workers in how many seconds, while at least `events` come at `rate` a second."""

    events: int
    rate: int
    seconds: float
    workers: int = 3
    kills: int = 0
    zombies: int = 0
    leaves: int = 0
    brokers: int = 0


QUICK = Plan(events=100_000, rate=1_500, seconds=80.0, kills=10, zombies=3, leaves=2, brokers=2)
FULL = Plan(events=1_000_000, rate=2_000, seconds=1_000.0, kills=100, zombies=20, leaves=20, brokers=20)
CHURN_QUICK = Plan(events=60_000, rate=1_500, seconds=40.0, workers=2, leaves=4)
CHURN_FULL = Plan(events=600_000, rate=2_000, seconds=600.0, workers=2, leaves=60)


def schedule(plan: Plan, seed: int) -> tuple[Fault, ...]:
    """Every fault of the plan, in the order of time."""
    random = Random(seed)
    faults = [
        *(Fault(at=at, kind="kill", worker=random.randrange(plan.workers), away=_away(random),
                settled=random.uniform(0.0, SETTLED_SECONDS)) for at in _moments(random, plan, plan.kills)),
        *(Fault(at=at, kind="zombie", worker=random.randrange(plan.workers),
                away=SESSION_SECONDS + random.uniform(1.0, 4.0), settled=random.uniform(0.0, SETTLED_SECONDS))
          for at in _moments(random, plan, plan.zombies)),
        *(Fault(at=at, kind="leave", worker=random.randrange(plan.workers), away=random.uniform(0.0, 10.0))
          for at in _moments(random, plan, plan.leaves)),
        *(Fault(at=at, kind="broker") for at in _moments(random, plan, plan.brokers)),
    ]
    return tuple(sorted(faults))


def churn(plan: Plan) -> tuple[Fault, ...]:
    """The last worker leaves and joins in turn, every 5 s; nothing is random."""
    return tuple(Fault(at=(2 * k + 1) * QUIET_SECONDS, kind="leave", worker=plan.workers - 1, away=QUIET_SECONDS)
                 for k in range(plan.leaves))


def _moments(random: Random, plan: Plan, count: int) -> Iterator[float]:
    """One moment in each of `count` equal slots, in its middle half: two of a kind are never close."""
    slot = (plan.seconds - QUIET_SECONDS) / max(count, 1)
    for k in range(count):
        yield round(QUIET_SECONDS + (k + random.uniform(0.25, 0.75)) * slot, 3)


def _away(random: Random) -> float:
    """Mostly back at once, under a membership that still stands; one in five only after it has lapsed."""
    return random.uniform(SESSION_SECONDS + 1.0, SESSION_SECONDS + 4.0) if random.random() < 0.2 else random.random()
