"""The breaker: when failures pile up, nothing happens by itself any more, until an operator says so. Pure.

What counts: a rollback, a canary withdrawn, a training that failed or whose winner could not be exported; and a round
of training after which nobody, champion or contender, says more than the labels' own frequencies do: a change that
retraining cannot mend.
"""

from collections.abc import Sequence
from math import log

from schemas.messages import Baseline, LabelValue
from schemas.pipeline import Task
from trainer.gate import MAX_LOSS

STRIKES = 3
OPEN = "the breaker is open"


def struck(strikes: Sequence[int], now: int, cooldown: int) -> list[int]:
    """Strikes that count after one at event time `now`: those of the last cooldown."""
    return [*(strike for strike in strikes if strike >= now - cooldown), now]


def is_open(strikes: int) -> bool:
    """Whether there are too many."""
    return strikes >= STRIKES


def follow(baseline: Baseline, task: Task, label: LabelValue, scale: float, keep: float) -> Baseline:
    """The baseline after one more label, which it was asked about first; `keep` is what remains of the past.

    It knows no features: it answers the frequencies of the classes (each seen once more than it was), or the mean.
    """
    counts = {name: count * keep for name, count in baseline.counts.items()}
    if task == "regression":
        value = float(label)
        total = baseline.total * keep + value
        error = abs(value - baseline.total / baseline.weight) / scale if baseline.weight else 0.0
    else:
        name, total = str(label), 0.0
        chance = (baseline.counts.get(name, 0.0) + 1) / (baseline.weight + len(counts) + (name not in counts))
        error = -log(chance)
        counts[name] = counts.get(name, 0.0) + 1
    return Baseline(weight=baseline.weight * keep + 1, loss=baseline.loss * keep + min(MAX_LOSS, error), counts=counts,
                    total=total)
