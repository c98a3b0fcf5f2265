"""A canary on a tenth of the entities: whether a worse model is found and withdrawn, and a better one promoted.

A worse one is what an operator tries: the first model, long after the rule turned (much worse), or in a world that
stayed as it was, where it only had fewer rows (a little worse). A better one is what the loop itself tries: the rule
turns, and every promotion goes over a canary (`rollout.canary_share`).
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

import numpy as np
from rich.progress import Progress

from automl_stream.backtest.replay import Plan
from bench.policies import must
from bench.policies.must import Must
from bench.policies.segments import Regime, draw, pipeline, rows_of
from bench.policies.served import served
from bench.result import Result, Table
from schemas.messages import Command

PART = "canary"
SHARE = 0.1
FIRST, BEFORE, TRIED, AFTER = 500, 500, 3_000, 3_000  # rows
BEGIN = FIRST + BEFORE + TRIED
SEEDS, QUICK_SEEDS = 20, 2
WORSE: dict[str, Regime] = {"much worse": "turned", "a little worse": "first"}
BETTER = "better"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One seed: how the first trial ended, and after how many labels; None: it did not end, or none began."""

    ended: str | None
    labels: int | None


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:
    """Each kind, seed by seed."""
    machine, seeds = must.machine(), QUICK_SEEDS if quick else SEEDS
    found = {kind: list(pool.map(trial, [kind] * seeds, range(seeds)))
             for kind in bar.track((*WORSE, BETTER), description=PART)}
    return must.result(PART, "Canaries", [each for kind in found for each in musts(kind, found[kind])], [table(found)],
                       {kind: [asdict(each) for each in several] for kind, several in found.items()}, machine)


def trial(kind: str, seed: int) -> Trial:
    """One kind with one seed."""
    rng = np.random.default_rng([seed, 5])
    regime = WORSE.get(kind, "turned")
    share = SHARE if kind == BETTER else 0.0
    definition = pipeline(rollout={"canary_share": share})
    command = Command(command_id="try", action="promote", version="1", share=SHARE, by="bench", labelled_offset=BEGIN,
                      issued_at=0)
    plan = Plan(rows_trained=FIRST, commands=() if share else (command,))
    rows = rows_of(definition, draw(rng, FIRST + BEFORE), draw(rng, TRIED + AFTER, regime))
    result, _ = served(rows, definition, plan)
    border = FIRST + BEFORE if share else 0
    decisions = [d for d in result.decisions if d.row > border]
    began = next((place for place, d in enumerate(decisions) if d.verdict == "canary"), len(decisions))
    ends = [d for d in decisions[began + 1:] if d.verdict in ("promoted", "withdrawn")]
    if not ends:
        return Trial(ended=None, labels=None)
    return Trial(ended=ends[0].verdict, labels=ends[0].row - decisions[began].row)


def musts(kind: str, found: Sequence[Trial]) -> list[Must]:
    """A worse one is withdrawn, a better one promoted."""
    wanted = "promoted" if kind == BETTER else "withdrawn"
    right = sum(each.ended == wanted for each in found)
    return [Must(what=f"a canary that is {kind}", limit=f"{wanted} in every seed", found=f"in {right} of {len(found)}",
                 met=right == len(found))]


def table(found: dict[str, list[Trial]]) -> Table:
    """A row a kind."""
    rows: list[tuple[str | float | None, ...]] = []
    for kind, several in found.items():
        labels = [each.labels for each in several if each.labels is not None]
        ended = [sum(each.ended == how for each in several) for how in ("promoted", "withdrawn", None)]
        median = float(np.median(labels)) if labels else None
        rows.append((kind, len(several), *ended, median, max(labels, default=None)))
    return Table(title=f"A canary of {SHARE:.0%}", rows=rows,
                 columns=("canary", "seeds", "promoted", "withdrawn", "neither", "labels it took, median", "at most"),
                 note="Labels of all entities, in blocks of 50.")
