"""A drift that no training can mend, labels become coin flips: whether the breaker opens, and says so."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

import numpy as np
from rich.progress import Progress

from automl_stream.backtest.replay import Plan
from bench.policies import must
from bench.policies.must import Must
from bench.policies.segments import Drawn, draw, evenly, pipeline, rows_of
from bench.policies.served import accuracy, served
from bench.result import Result, Table

PART = "noise"
FIRST, HONEST, NOISE = 3_000, 500, 6_000  # rows
BEGIN = FIRST + HONEST
JUDGED = 2_500  # rows of each segment
SEEDS, QUICK_SEEDS = 20, 2


@dataclass(frozen=True, kw_only=True)
class Hopeless:
    """One seed: the row at which the breaker opened, counted from the first coin flip (None: it did not), what it said,
    rounds of training and promotions before and after, and accuracy on honest rows of the champion before the noise and
    at its end."""

    opened: int | None
    said: str
    rounds_before: int
    rounds_after: int
    promotions_before: int
    promotions_after: int
    accuracy_before: float
    accuracy_after: float


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:
    """Seed by seed."""
    machine, seeds = must.machine(), QUICK_SEEDS if quick else SEEDS
    found = list(bar.track(pool.map(hopeless, range(seeds)), total=seeds, description=PART))
    return must.result(PART, "A drift that cannot be mended", musts(found), [table(found)],
                       {"seeds": [asdict(each) for each in found]}, machine)


def hopeless(seed: int) -> Hopeless:
    """Honest labels, then coin flips."""
    rng = np.random.default_rng([seed, 4])
    inputs = draw(rng, NOISE)
    coins = Drawn(numbers=inputs.numbers, segments=inputs.segments, labels=rng.random(NOISE) < 1 / 2)
    definition = pipeline()
    result, models = served(rows_of(definition, draw(rng, BEGIN), coins), definition, Plan(rows_trained=FIRST))
    clean = evenly(rng, JUDGED)
    opening = next((d for d in result.decisions if d.row > BEGIN and "breaker" in d.reason), None)
    border = BEGIN + NOISE + 1 if opening is None else opening.row
    rounds = [d.row for d in result.decisions if d.verdict == "trained" and d.row > BEGIN]
    swaps = [swap.row for swap, _ in models if swap.row > BEGIN]
    honest = [onnx for swap, onnx in models if swap.row <= BEGIN]
    return Hopeless(
        opened=None if opening is None else opening.row - BEGIN, said="" if opening is None else opening.reason,
        rounds_before=sum(row <= border for row in rounds), rounds_after=sum(row > border for row in rounds),
        promotions_before=sum(row <= border for row in swaps), promotions_after=sum(row > border for row in swaps),
        accuracy_before=accuracy(honest[-1], clean), accuracy_after=accuracy(models[-1][1], clean))


def musts(found: Sequence[Hopeless]) -> list[Must]:
    """The breaker opens in every seed, says so, and nothing is promoted after it."""
    opened = [each for each in found if each.opened is not None]
    promoted = sum(each.promotions_after for each in opened)
    return [
        Must(what="the breaker opens and says so", limit="in every seed", found=f"in {len(opened)} of {len(found)}",
             met=len(opened) == len(found)),
        Must(what="promotions after it opened", limit="0", found=str(promoted) if opened else "it did not open",
             met=bool(opened) and promoted == 0),
    ]


def table(found: Sequence[Hopeless]) -> Table:
    """A row a seed."""
    return Table(
        title="Labels become coin flips",
        columns=("seed", "breaker opens after, rows", "rounds before", "and after", "promotions before", "and after",
                 "accuracy before", "at the end", "it says"),
        rows=[(seed, "never" if each.opened is None else each.opened, each.rounds_before, each.rounds_after,
               each.promotions_before, each.promotions_after, each.accuracy_before, each.accuracy_after, each.said)
              for seed, each in enumerate(found)],
        note=f"{NOISE:,} rows of noise. Accuracy on honest rows: that of the champion when the noise began, and at its "
             "end.")
