"""Labels that lie: whether what they taught is kept from serving, and an honest change still let through.

Each run has a golden set and a declared slice. Rows 0 to 3,000 train the first model, 500 more are honest, then the
poison begins and does not end. Every promotion is judged afterwards on 10,000 honest rows of each segment: what it
loses against the model that it replaced, in accuracy on the segment where it loses most.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from rich.progress import Progress

from automl_stream.backtest.replay import Plan
from bench.policies import must
from bench.policies.must import Must
from bench.policies.segments import SHARES, SLICE, Drawn, Flags, Regime, draw, evenly, pipeline, rows_of
from bench.policies.served import Promotion, promotions, served
from bench.result import Result, Table
from producers.labelled import labelled_rows
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline
from trainer.guards import golden_of

PART = "poisoned"
MOST_LOST = 0.02  # accuracy on the worst segment
LEAST_PROMOTED = 0.95  # of seeds: 19 of 20
FIRST, HONEST, POISONED = 3_000, 500, 2_000  # rows
GOLDEN, JUDGED = 500, 10_000  # rows of each segment
SEEDS, QUICK_SEEDS = 20, 2

Poison = Callable[[np.random.Generator, Drawn], Flags]  # which labels are flipped


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is done to the labels, by name."""

    name: str
    poison: Poison


@dataclass(frozen=True, kw_only=True)
class Change:
    """An honest change of the world. A golden set of a world whose rule has turned is out of date."""

    name: str
    regime: Regime
    golden: bool


def at_random(share: float, rng: np.random.Generator, rows: Drawn) -> Flags:
    """A share of all labels, whichever."""
    return rng.random(len(rows.labels)) < share


def one_way(share: float, rng: np.random.Generator, rows: Drawn) -> Flags:
    """A share of all labels, taken from the positive ones."""
    return rows.labels & (rng.random(len(rows.labels)) < share / rows.labels.mean())


def one_segment(segment: str, rng: np.random.Generator, rows: Drawn) -> Flags:  # noqa: ARG001
    """Every label of one segment."""
    return rows.segments == segment


ATTACKS = (
    *(Attack(name=f"{share:.0%} at random", poison=partial(at_random, share)) for share in (0.1, 0.25, 0.4)),
    *(Attack(name=f"{share:.0%} one way", poison=partial(one_way, share)) for share in (0.1, 0.2)),
    *(Attack(name=f"one segment of {SHARES[name]:.0%}", poison=partial(one_segment, name))
      for name in ("two", "five", "ten")),
)
CHANGES = (Change(name="inputs move", regime="moved", golden=True),
           Change(name="the rule turns", regime="turned", golden=False))


@dataclass(frozen=True, kw_only=True)
class Found:
    """One case over its seeds, in each: promotions after the poison or change began, and the most that one lost."""

    case: str
    promotions: Sequence[int]
    lost: Sequence[float]  # negative where none lost anywhere; 0 without promotions


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:
    """Every attack and every honest change, seed by seed."""
    machine, seeds = must.machine(), QUICK_SEEDS if quick else SEEDS
    found: list[Found] = []
    for each in bar.track((*ATTACKS, *CHANGES), description=PART):
        runs = list(pool.map(attacked if isinstance(each, Attack) else changed, [each] * seeds, range(seeds)))
        found.append(Found(case=each.name, promotions=[len(run) for run in runs],
                           lost=[max((one.loses for one in run), default=0.0) for run in runs]))
    attacks, changes = found[:len(ATTACKS)], found[len(ATTACKS):]
    return must.result(PART, "Poisoned labels", musts(attacks, changes), [table(attacks, changes)],
                       {"cases": [asdict(each) for each in found]}, machine)


def attacked(attack: Attack, seed: int) -> list[Promotion]:
    """Promotions after the poison began, judged on honest rows."""
    rng = np.random.default_rng([seed, 1])
    poisoned = draw(rng, POISONED)
    flipped = attack.poison(rng, poisoned)
    said = Drawn(numbers=poisoned.numbers, segments=poisoned.segments, labels=poisoned.labels ^ flipped)
    return _promoted(rng, said, "first", golden=True)


def changed(change: Change, seed: int) -> list[Promotion]:
    """Promotions after the world changed, judged on rows of the changed world."""
    rng = np.random.default_rng([seed, 2])
    return _promoted(rng, draw(rng, POISONED, change.regime), change.regime, golden=change.golden)


def _promoted(rng: np.random.Generator, after: Drawn, regime: Regime, *, golden: bool) -> list[Promotion]:
    definition = pipeline(gate={"slices": (SLICE,)})
    trusted = golden_of(definition, (_events(definition, evenly(rng, GOLDEN)), "trusted")) if golden else None
    rows = rows_of(definition, draw(rng, FIRST + HONEST), after)
    _, models = served(rows, definition, Plan(rows_trained=FIRST, golden=trusted))
    judged = promotions(models, evenly(rng, JUDGED, regime))
    return [each for each in judged if each.swap.row > FIRST + HONEST]


def _events(definition: Pipeline, rows: Drawn) -> list[LabelledEvent]:
    return list(labelled_rows(iter(rows_of(definition, rows)), definition, "golden", lambda _row, _problem: None))


def musts(attacks: Sequence[Found], changes: Sequence[Found]) -> list[Must]:
    """No promotion loses on honest rows; honest changes are let through."""
    checked = []
    for each in attacks:
        worst = max(each.lost)
        checked.append(Must(what=f"poison, {each.case}", met=worst < MOST_LOST,
                            limit=f"no promotion loses {MOST_LOST} on the worst segment",
                            found=f"most lost: {worst:.3f}; by seed: {sum(lost >= MOST_LOST for lost in each.lost)} of "
                                  f"{len(each.lost)} have one that does"))
    for each in changes:
        promoted = sum(count > 0 for count in each.promotions)
        checked.append(Must(what=f"honest change, {each.case}", limit="promoted in 19 of 20 seeds",
                            met=promoted >= LEAST_PROMOTED * len(each.promotions),
                            found=f"in {promoted} of {len(each.promotions)}"))
    return checked


def table(attacks: Sequence[Found], changes: Sequence[Found]) -> Table:
    """A row a case."""
    rows = [(case, each.case, len(each.promotions), sum(each.promotions), sum(count > 0 for count in each.promotions),
             max(each.lost)) for case, several in (("poison", attacks), ("honest change", changes)) for each in several]
    return Table(title="Promotions under poison and after an honest change", rows=rows,
                 columns=("kind", "case", "seeds", "promotions", "seeds with one", "most that one lost"),
                 note=f"Lost: accuracy on the worst of four segments, against the model that was replaced, on "
                      f"{JUDGED:,} honest rows of each. A random poison of 10 % flips a tenth of all labels; one way: "
                      "as many, but only from yes to no; one segment: every label of a segment of that size.")
