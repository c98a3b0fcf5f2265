"""Nothing changes: whether nothing is retrained, and refreshing does no harm.

Two streams without drift, a row every 6 minutes, windows of a day (240 rows), the first 30 days as reference, 30 more
watched, at most one false alarm in 600 days declared: `readmission` (producers/scenarios; numbers with missing values,
categories, a rare label) and `segments` (balanced labels, so that accuracy shows any harm).
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass

import numpy as np
from msgspec.structs import replace
from rich.progress import Progress

from automl_stream.backtest.replay import Plan, backtest
from automl_stream.backtest.result import Result as Backtest
from bench.decisions.real_streams import ROOT
from bench.policies import must, segments
from bench.policies.must import Must
from bench.result import Result, Table
from producers.rows import Row
from producers.scenarios.scenario import generate, scenario
from schemas.pipeline import Duration, FalseAlarmBudget, Pipeline, Replay, Windows, load_pipeline

PART = "stationary"
ROWS_A_DAY = 240
DAYS = 30
SPACING, DAY = Duration.parse("6m"), Duration.parse("1d")
BUDGET = FalseAlarmBudget.parse("1 in 600d")
STREAMS = ("readmission", "segments")
SEEDS, QUICK_SEEDS = 20, 3
LEAST_QUIET = 0.9  # of seeds: 18 of 20
MOST_LOST = 0.005  # accuracy, against the frozen model


@dataclass(frozen=True, kw_only=True)
class Month:
    """One stream and seed: with refreshes off, alerts and retrainings; with refreshes on, what the loop reached."""

    stream: str
    seed: int
    alerts: int
    retrainings: int
    refreshes: int
    promotions: int
    accuracy: float
    frozen: float


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:
    """Every stream, seed by seed."""
    machine = must.machine()
    jobs = [(name, seed) for name in STREAMS for seed in range(QUICK_SEEDS if quick else SEEDS)]
    found = list(bar.track(pool.map(month, *zip(*jobs, strict=True)), total=len(jobs), description=PART))
    return must.result(PART, "Streams without drift", musts(found), [table(found)],
                       {"months": [asdict(each) for each in found]}, machine)


def month(name: str, seed: int) -> Month:
    """One stream with one seed."""
    on = definition(name)
    rows = drawn(name, on, seed)
    quiet = _run(replace(on, retraining=replace(on.retraining, refresh_labels=0)), rows)
    busy = _run(on, rows)
    assert busy.accuracy is not None  # noqa: S101 - every row has a label
    assert busy.accuracy_frozen is not None  # noqa: S101
    return Month(stream=name, seed=seed, alerts=len(quiet.alerts), retrainings=quiet.retrainings,
                 refreshes=busy.retrainings, promotions=busy.promotions, accuracy=busy.accuracy,
                 frozen=busy.accuracy_frozen)


def definition(name: str) -> Pipeline:
    """The stream's pipeline under the budget, with windows of a day."""
    plain = segments.pipeline() if name == "segments" else load_pipeline(ROOT / "pipelines" / f"{name}.toml")
    return replace(
        plain, replay=replace(plain.replay or Replay(label="label"), spacing=SPACING),
        windows=replace(plain.windows, size=DAY, lateness=Duration.parse("1h")) if plain.windows == Windows()
        else plain.windows,
        drift=replace(plain.drift, false_alarms=BUDGET))


def drawn(name: str, pipeline: Pipeline, seed: int, days: int = 2 * DAYS) -> list[Row]:
    """So many days of the stream."""
    rows = days * ROWS_A_DAY
    if name == "segments":
        return segments.rows_of(pipeline, segments.draw(np.random.default_rng([seed, 0]), rows))
    return list(generate(scenario(name, rows, seed, changes=()), pipeline))


def musts(found: Sequence[Month]) -> list[Must]:
    """Per stream: hardly a seed retrains, and none loses by refreshing."""
    checked = []
    for name in dict.fromkeys(each.stream for each in found):
        months = [each for each in found if each.stream == name]
        quiet = sum(each.retrainings == 0 for each in months)
        lost = max(each.frozen - each.accuracy for each in months)
        checked += [
            Must(what=f"{name}: no retraining in {DAYS} days, refreshes off", limit="in 18 of 20 seeds",
                 found=f"in {quiet} of {len(months)}", met=quiet >= LEAST_QUIET * len(months)),
            Must(what=f"{name}: accuracy below the frozen model's, refreshes on", met=lost < MOST_LOST,
                 limit=f"by less than {MOST_LOST} in every seed", found=f"at worst by {lost:.4f}"),
        ]
    return checked


def table(found: Sequence[Month]) -> Table:
    """A row a stream."""
    rows: list[tuple[str | float | None, ...]] = []
    for name in dict.fromkeys(each.stream for each in found):
        months = [each for each in found if each.stream == name]
        gains = [each.accuracy - each.frozen for each in months]
        rows.append((name, len(months), sum(each.alerts for each in months), sum(each.retrainings for each in months),
                     _mean([each.refreshes for each in months]), _mean([each.promotions for each in months]),
                     f"{min(gains):+.4f}", f"{_mean(gains):+.4f}", f"{max(gains):+.4f}"))
    return Table(title=f"{DAYS} days without drift", rows=rows,
                 columns=("stream", "seeds", "alerts, refreshes off", "retrainings, refreshes off",
                          "retrainings a seed, on", "promotions a seed, on", "accuracy over frozen, worst", "mean",
                          "best"),
                 note="Accuracy of a seed is that of all its rows after the first 30 days.")


def _run(pipeline: Pipeline, rows: Sequence[Row]) -> Backtest:
    return backtest(iter(rows), pipeline, Plan(rows_trained=len(rows) // 2), lambda _: None)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
