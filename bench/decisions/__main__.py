"""Run: python -m bench.decisions [--quick] [--json] [--write] [--draws N] [--workers N]."""

import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import Progress
from threadpoolctl import threadpool_limits

from bench.contenders.environment import ROOT
from bench.contenders.panel import CONTENDERS, OWN
from bench.decisions import delays, immaterial, peers, predictions, real_streams, realised, tables, uncalibrated
from bench.decisions.delays import Levels
from bench.decisions.immaterial import Share
from bench.decisions.predictions import Promotion
from bench.decisions.realised import Case, Cell
from bench.decisions.uncalibrated import Silence, World
from bench.result import (
    Machine,
    Result,
    Table,
    arguments,
    command_line,
    describe_machine,
    finish,
    progress,
    say,
    today,
)

NAME = "decisions"
AFTER_THE_FIT = next(iter(predictions.KINDS))
PartT = TypeVar("PartT")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is drawn: `draws` of each case with features together and kind of prediction; fewer of the others."""

    cases: Sequence[Case]
    worlds: Sequence[World]
    draws: int
    rates: tuple[int, int]  # drift-free streams, windows of each
    streams: int  # with a change
    references: int  # of the immaterial change


QUICK = Size(cases=realised.QUICK, worlds=uncalibrated.QUICK, draws=30, rates=(10, 300), streams=15, references=5)
FULL = Size(cases=realised.FULL, worlds=uncalibrated.FULL, draws=300, rates=(40, 400), streams=61, references=100)


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that was measured here, and the tables of other tools."""

    cells: list[Cell]
    promotions: list[Promotion]
    silences: list[Silence]
    levels: Levels
    delays: dict[str, dict[str, float | None]]
    shares: list[Share]
    others: list[Table]


def main() -> None:
    """Measure as the options say."""
    parser = arguments(NAME, "Realised against declared false alarms, and delays beside other rules.")
    parser.add_argument("--draws", type=int, help=f"of each case ({FULL.draws}; quick: {QUICK.draws})")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    options = parser.parse_args()
    size, machine = QUICK if options.quick else FULL, describe_machine("no broker")
    with (ProcessPoolExecutor(options.workers, initializer=threadpool_limits, initargs=(1,)) as pool,
          progress(silent=options.json) as bar):
        found = measure(pool, bar, size, options)
    finish(describe(found, size, machine), options)


def measure(pool: Executor, bar: Progress, size: Size, options: Namespace) -> Found:
    """Every part in turn."""
    draws = options.draws or size.draws
    cases = bar.track(realised.measure(pool, size.cases, draws), total=len(size.cases), description="false alarms")
    cells = timed("false alarms", lambda: [cell for case in cases for cell in case])
    promotions = timed("predictions", lambda: predictions.measure(pool, bar, draws))
    silences = timed("uncalibrated", lambda: uncalibrated.measure(pool, bar, size.worlds, realised.fewer(draws)))
    levels = timed("equal rates", lambda: delays.levels(pool, bar, *size.rates))
    found = timed("delays", lambda: delays.delays(pool, bar, levels, size.streams))
    shares = timed("immaterial", lambda: immaterial.measure(pool, bar, size.references))
    others = [*timed("real streams", lambda: real_streams.measure(bar)),
              *timed("other tools", lambda: other_tools(bar, quick=options.quick))]
    return Found(cells=cells, promotions=promotions, silences=silences, levels=levels, delays=found, shares=shares,
                 others=others)


def other_tools(bar: Progress, *, quick: bool, home: Path = ROOT / ".bench") -> list[Table]:
    """Their tables; in the quick form only where their environments, which take minutes to make, are there already."""
    absent = [name for name in CONTENDERS if name != OWN and not (home / name / "made-from").exists()]
    if quick and absent:
        return [Table(title="Other tools as they come", columns=("not run",), rows=[
            (f"no environment of {' or '.join(absent)}: the full form makes it",)])]
    return peers.measure(quick=quick, progress=bar)


def timed(name: str, part: Callable[[], PartT]) -> PartT:
    """What `part` gives; says how long it took."""
    started = time.monotonic()
    result = part()
    say(f"{name}: {time.monotonic() - started:.0f} s")
    return result


def describe(found: Found, size: Size, machine: Machine) -> Result:
    """The stored result."""
    own = [tables.realised(found.cells), tables.promotions(found.promotions), tables.silences(found.silences),
           tables.delays(found.delays, found.levels, size.streams), tables.materiality(found.shares)]
    return Result(name=NAME, title="Drift decisions", command=command_line(NAME), measured_at=today(), machine=machine,
                  summary=tables.summary(found.cells, found.promotions, found.silences, found.delays, found.shares),
                  figures=figures(found), tables=[*own, *found.others], raw=raw(found))


def figures(found: Found) -> dict[str, Any]:
    """What `--json` prints. Ratios that nothing could keep are excepted, by name, from the worst."""
    ratios = {cell.name: cell.ratio for cell in found.cells if not cell.case.hidden} | {
        f"prediction cells, {each.reference}, {each.rows:,} rows": each.ratio
        for each in found.promotions if each.reference == AFTER_THE_FIT}
    excepted = {cell.name: cell.ratio for cell in found.cells if cell.case.hidden}
    return {"worst_ratio": max(ratios.values()), "ratios": ratios | excepted, "delays": found.delays}


def raw(found: Found) -> dict[str, Any]:
    """Every figure behind the tables and the pictures."""
    return {
        "realised": [{"case": f"{cell.case.stream}, {cell.case.window:,} / {cell.case.reference:,}",
                      "level": f"{cell.together} together, 1 in {cell.budget:,}", "ratio": cell.ratio, "low": cell.low,
                      "high": cell.high, "references": cell.references, "excepted": cell.case.hidden}
                     for cell in found.cells],
        "promotions": [asdict(each) for each in found.promotions],
        "uncalibrated": [{"world": each.world.name, "ratio": each.ratio, "low": each.low, "silenced": each.silenced,
                          "references": each.references} for each in found.silences],
        "levels": asdict(found.levels),
        "delays": found.delays,
        "immaterial": [asdict(each) for each in found.shares],
    }


if __name__ == "__main__":
    main()
