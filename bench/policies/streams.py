"""Four real streams under the one default policy, beside what others do with the same rows and the same late labels.

Accuracy (or mean absolute error) after the first fifth. Schedules and ADWIN are tried with several periods and windows:
`best` is the best of them in hindsight, stream by stream, which nobody can choose beforehand; `typical` their median.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median_high, median_low
from typing import Any

from rich.progress import Progress

from automl_stream.backtest.replay import Plan, backtest
from bench.policies import must
from bench.policies.must import Must
from bench.policies.peers import Adwin, Forest, NoChange, Refitted, Schedule
from bench.policies.prequential import Peer, Stream, load, prequential, quality
from bench.result import Result, Table

PART = "streams"
LEAST = {"gas_drift": 0.945, "noaa_weather": 0.795, "elec2": 0.78}  # accuracy, labels at once
MOST_OF_FROZEN = 0.6  # mean absolute error of bike_sharing, labels at once
DELAYS = (0, 500)  # rows
SCHEDULE, ADWIN, FOREST, NO_CHANGE = "on schedule", "ADWIN-triggered", "adaptive random forest", "last label repeated"
PERIODS, WINDOWS, RECENT = (250, 1_000, 4_000), (1_000, 4_000, None), (500, 2_000, 8_000)


@dataclass(frozen=True, kw_only=True)
class Size:
    """Which streams with which delays, and of each how many rows (None: all); which peers."""

    names: Sequence[str] = ("gas_drift", "noaa_weather", "elec2", "bike_sharing")
    delays: Sequence[int] = DELAYS
    rows: int | None = None
    periods: Sequence[int] = PERIODS
    windows: Sequence[int | None] = WINDOWS
    recent: Sequence[int] = RECENT
    forest: bool = True


FULL = Size()
QUICK = Size(names=("noaa_weather", "bike_sharing"), delays=(0,), periods=(1_000,), windows=(4_000,), recent=(2_000,),
             forest=False)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A peer with one setting: what it reached, and what it took."""

    peer: str
    setting: str
    quality: float
    retrainings: int
    seconds: float  # of fitting


@dataclass(frozen=True, kw_only=True)
class Case:
    """A stream and a delay: ours and the peers."""

    stream: str
    delay: int
    lower_is_better: bool
    ours: float
    frozen: float
    alerts: int
    retrainings: int
    promotions: int
    rollbacks: int
    training_seconds: float
    seconds: float
    runs: list[Run] = field(default_factory=list)

    def best(self, peer: str) -> Run | None:
        """The peer's best setting."""
        order = sorted(self.of(peer), key=lambda run: run.quality, reverse=not self.lower_is_better)
        return order[0] if order else None

    def typical(self, peer: str) -> float | None:
        """The median of the peer's settings; of two middle ones the worse."""
        found = [run.quality for run in self.of(peer)]
        middle = median_high if self.lower_is_better else median_low
        return middle(found) if found else None

    def of(self, peer: str) -> list[Run]:
        """The peer's runs."""
        return [run for run in self.runs if run.peer == peer]


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:
    """Every stream with every delay."""
    size, machine = QUICK if quick else FULL, must.machine()
    jobs = [(name, delay, size) for name in size.names for delay in size.delays]
    found = list(bar.track(pool.map(case, *zip(*jobs, strict=True)), total=len(jobs), description=PART))
    return must.result(PART, "Four real streams", musts(found), tables(found), raw(found), machine)


def case(name: str, delay: int, size: Size) -> Case:
    """One stream with one delay."""
    stream = load(name, size.rows)
    plan = Plan(rows_trained=stream.first, label_delay_rows=delay)
    ours = backtest(iter(stream.rows), stream.pipeline, plan, lambda _: None)
    regression = stream.pipeline.task == "regression"
    live, frozen = (ours.mae, ours.mae_frozen) if regression else (ours.accuracy, ours.accuracy_frozen)
    assert live is not None  # noqa: S101 - `events` refuses rows without labels
    assert frozen is not None  # noqa: S101
    return Case(
        stream=name, delay=delay, lower_is_better=regression, ours=live, frozen=frozen, alerts=len(ours.alerts),
        retrainings=ours.retrainings, promotions=ours.promotions, rollbacks=ours.rollbacks,
        training_seconds=ours.training_seconds, seconds=ours.cost.seconds,
        runs=[_run(stream, delay, *peer) for peer in peers(size)])


def peers(size: Size) -> list[tuple[str, str, Callable[[Stream], Any]]]:
    """Name, setting, and what makes it."""
    found: list[tuple[str, str, Callable[[Stream], Any]]] = [
        (SCHEDULE, f"every {period:,} labels on {_rows(window)}", partial(_scheduled, period, window))
        for period in size.periods for window in size.windows]
    found += [(ADWIN, f"on {_rows(window)}", partial(_triggered, window)) for window in size.recent]
    if size.forest:
        found.append((FOREST, "defaults", Forest))
    return [*found, (NO_CHANGE, "", NoChange)]


def musts(found: Sequence[Case]) -> list[Must]:
    """Labels at once: what acceptance.md asks of each stream."""
    at_once = {each.stream: each for each in found if each.delay == 0}
    checked = [Must(what=f"accuracy on {name}, labels at once", limit=f"at least {least}",
                    found=f"{at_once[name].ours:.4f}", met=at_once[name].ours >= least)
               for name, least in LEAST.items() if name in at_once]
    for each in at_once.values():
        if each.lower_is_better:
            share = each.ours / each.frozen
            checked.append(Must(what=f"mean absolute error on {each.stream}, labels at once",
                                met=share <= MOST_OF_FROZEN, limit=f"at most {MOST_OF_FROZEN} of frozen",
                                found=f"{share:.3f}"))
    return checked


def tables(found: Sequence[Case]) -> list[Table]:
    """Qualities, then what they took, then the peers' settings."""
    return [
        Table(title="Accuracy, or mean absolute error, after the first fifth",
              columns=("stream", "labels", "ours", "frozen", f"{SCHEDULE}, best", f"{SCHEDULE}, typical",
                       f"{ADWIN}, best", f"{ADWIN}, typical", FOREST, NO_CHANGE),
              rows=[(each.stream, _late(each.delay), *(_shown(each, value) for value in _qualities(each)))
                    for each in found],
              note="Best: of several periods and windows in hindsight; typical: their median. Schedules and ADWIN "
                   "refit our own LightGBM. Ours learns in blocks of 50 rows, as the services do in lockstep; the "
                   "others hear each label before the next row."),
        Table(title="What it took: ours",
              columns=("stream", "labels", "alerts", "retrainings", "promotions", "rollbacks", "training, s", "all, s"),
              rows=[(each.stream, _late(each.delay), each.alerts, each.retrainings, each.promotions, each.rollbacks,
                     each.training_seconds, each.seconds) for each in found],
              note="Training: fits, exports and reference profiles, in one thread."),
        Table(title="What it took: the others' best settings",
              columns=("stream", "labels", "who", "setting", "reached", "retrainings", "fitting, s"),
              rows=[(each.stream, _late(each.delay), peer, run.setting, _shown(each, run.quality), run.retrainings,
                     run.seconds) for each in found for peer in (SCHEDULE, ADWIN, FOREST) if (run := each.best(peer))]),
    ]


def raw(found: Sequence[Case]) -> dict[str, Any]:
    """Every run of every case."""
    return {"cases": [asdict(each) for each in found]}


def _qualities(each: Case) -> tuple[float | None, ...]:
    best = {peer: run.quality if (run := each.best(peer)) else None for peer in (SCHEDULE, ADWIN, FOREST, NO_CHANGE)}
    return (each.ours, each.frozen, best[SCHEDULE], each.typical(SCHEDULE), best[ADWIN], each.typical(ADWIN),
            best[FOREST], best[NO_CHANGE])


def _run(stream: Stream, delay: int, name: str, setting: str, make: Callable[[Stream], Any]) -> Run:
    peer = make(stream)
    answering: Peer = peer
    reached = quality(stream, prequential(answering, stream, delay))
    return Run(peer=name, setting=setting, quality=reached, retrainings=peer.retrainings, seconds=peer.seconds)


def _scheduled(period: int, window: int | None, stream: Stream) -> Refitted:
    return Refitted(stream, Schedule(period), window)


def _triggered(window: int, stream: Stream) -> Refitted:
    return Refitted(stream, Adwin(), window)


def _rows(window: int | None) -> str:
    return "all rows" if window is None else f"{window:,} rows"


def _late(delay: int) -> str:
    return f"{delay:,} rows late" if delay else "at once"


def _shown(each: Case, value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if each.lower_is_better else f"{value:.3f}"
