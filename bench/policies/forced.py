"""A champion that is bad: how many labels it takes until it no longer serves, and whether retraining loops.

It is forced in two ways. An operator promotes the first model, long after the rule turned. Or all labels lie for a
while, without a golden set that would know, until models that believe them serve; then they are honest again, and what
was right has been unlearned.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

import numpy as np
from rich.progress import Progress

from automl_stream.backtest.replay import Plan
from bench.policies import must
from bench.policies.must import Must
from bench.policies.segments import Drawn, Regime, draw, evenly, pipeline, rows_of
from bench.policies.served import accuracy, served
from bench.result import Result, Table
from schemas.messages import Command

PART = "forced"
FIRST, HONEST, CHANGED, AFTER = 3_000, 500, 1_500, 3_000  # rows: train, as before, otherwise, with the bad champion
FORCED = FIRST + HONEST + CHANGED
JUDGED = 2_500  # rows of each segment
BY_COMMAND = "command: promote"
ENDS = ("rolled-back", "promoted")
BAD = 0.5  # accuracy that guessing reaches
CLOSE = 0.02  # accuracy that is as good as before
MOST_LABELS = 500
INCIDENT_ROUNDS = 4  # of training
SEEDS, QUICK_SEEDS = 20, 2


@dataclass(frozen=True, kw_only=True)
class World:
    """What is replayed: parts of the stream one after another, commands, and the world in which the bad one serves."""

    parts: Sequence[Drawn]
    plan: Plan
    judged_in: Regime


@dataclass(frozen=True, kw_only=True)
class Healing:
    """One seed. Accuracy on honest rows of the world in which the bad champion serves: of the best champion that served
    there or before, of the bad one. `gone`: labels until a champion beats guessing; `healed`: until one is as good as
    the best; None: never. `rounds`: of incidents, afterwards; `ended`: the verdict that put another in its place."""

    best: float
    forced: float
    gone: int | None
    healed: int | None
    rounds: int
    ended: str


def by_operator(rng: np.random.Generator) -> World:
    """The rule turns, the loop follows, and an operator promotes version 1."""
    command = Command(command_id="forced", action="promote", version="1", by="bench", reason="forced",
                      labelled_offset=FORCED, issued_at=0)
    parts = (draw(rng, FIRST + HONEST), draw(rng, CHANGED + AFTER, "turned"))
    return World(parts=parts, plan=Plan(rows_trained=FIRST, commands=(command,)), judged_in="turned")


def by_lies(rng: np.random.Generator) -> World:
    """Every label is turned into its opposite for a while."""
    lies = draw(rng, CHANGED)
    lies = Drawn(numbers=lies.numbers, segments=lies.segments, labels=~lies.labels)
    parts = (draw(rng, FIRST + HONEST), lies, draw(rng, AFTER))
    return World(parts=parts, plan=Plan(rows_trained=FIRST), judged_in="first")


WAYS: dict[str, Callable[[np.random.Generator], World]] = {"by an operator": by_operator, "by lies": by_lies}


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:
    """Each way, seed by seed."""
    machine, seeds = must.machine(), QUICK_SEEDS if quick else SEEDS
    found = {way: list(pool.map(healing, [way] * seeds, range(seeds))) for way in bar.track(WAYS, description=PART)}
    return must.result(PART, "A bad champion", [each for way in found for each in musts(way, found[way])],
                       [table(way, found[way]) for way in found],
                       {way: [asdict(each) for each in several] for way, several in found.items()}, machine)


def healing(way: str, seed: int) -> Healing:
    """One way with one seed."""
    rng = np.random.default_rng([seed, 3])
    world, definition = WAYS[way](rng), pipeline()
    result, models = served(rows_of(definition, *world.parts), definition, world.plan)
    clean = evenly(rng, JUDGED, world.judged_in)
    reached = [(swap, accuracy(onnx, clean)) for swap, onnx in models]
    bad = max(number for number, (swap, _) in enumerate(reached) if swap.row <= FORCED or swap.reason == BY_COMMAND)
    forced = [right for _, right in reached[: bad + 1]]
    after = [(swap.row - FORCED, right) for swap, right in reached[bad + 1 :]]
    best = max(forced)
    late = [d for d in result.decisions if d.row > FORCED]
    return Healing(
        best=best, forced=forced[-1], healed=_first(after, best - CLOSE), gone=_first(after, BAD),
        rounds=sum(d.verdict == "trained" and d.trigger == "incident" for d in late),
        ended=next((d.verdict for d in late if d.verdict in ENDS and d.trigger != BY_COMMAND), ""))


def musts(way: str, found: Sequence[Healing]) -> list[Must]:
    """A bad champion was forced, it is gone soon, and incidents do not chase each other."""
    forced = [each for each in found if each.forced < BAD]
    gone = [each.gone for each in forced if each.gone is not None]
    slowest, rounds = max(gone, default=0), max(each.rounds for each in found)
    checked = [
        Must(what=f"{way}: seeds in which a bad champion was forced", limit="all", met=len(forced) == len(found),
             found=f"{len(forced)} of {len(found)}"),
        Must(what=f"{way}: it no longer serves", limit=f"within {MOST_LABELS} labels in every seed",
             found=f"in {len(gone)} of {len(forced)}; the slowest after {slowest} labels",
             met=len(gone) == len(forced) and slowest <= MOST_LABELS),
        Must(what=f"{way}: no loop, incidents' rounds of training afterwards",
             limit=f"at most {INCIDENT_ROUNDS}, those of one incident", found=f"at most {rounds}",
             met=rounds <= INCIDENT_ROUNDS),
    ]
    if way == "by an operator":
        back, better = (sum(each.ended == verdict for each in found) for verdict in ("rolled-back", "promoted"))
        checked.append(Must(what=f"{way}: its end is on record", limit="rolled back, or replaced on evidence",
                            found=f"rolled back in {back}, replaced in {better} of {len(found)}",
                            met=back + better == len(found)))
    return checked


def table(way: str, found: Sequence[Healing]) -> Table:
    """A row a seed."""
    return Table(title=f"A bad champion, forced {way}",
                 columns=("seed", "accuracy of the best before", "of the bad one", "labels until it is gone",
                          "until one is as good as the best", "ended by", "incidents' rounds"),
                 rows=[(seed, each.best, each.forced, _never(each.gone), _never(each.healed), each.ended,
                        each.rounds) for seed, each in enumerate(found)],
                 note=f"Accuracy on honest rows. Gone: a champion beats guessing; as good: within {CLOSE}. Labels come "
                      f"in blocks of 50, {AFTER:,} in all.")


def _first(reached: Sequence[tuple[int, float]], least: float) -> int | None:
    return next((labels for labels, right in reached if right >= least), None)


def _never(labels: int | None) -> str | float:
    return "never" if labels is None else labels
