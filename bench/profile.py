"""Where the time of an event goes in a score worker under load: CPU by thread, and by stage.

Run: python -m bench.profile [--quick] [--json] [--write]

The worker drains a backlog as in `bench.scoring`, beside the plain loop, in turns. The system says what each thread
took; clocks around the stages (bench/profiled_worker.py) say what it did. CPU time depends on what else the machine
does, less than wall time but up to a half: `model` is the same work in every run and shows how slow the machine was.
"""

import os
import time
from collections.abc import Iterable
from statistics import median
from typing import Any

import msgspec

from bench.lab import Lab, open_lab
from bench.profiled_worker import WRITE_SECONDS
from bench.race import OURS, WARM_UP, Contender, Run, Shape, race
from bench.result import Chart, Result, Table, arguments, command_line, describe_machine, finish, say, today

NAME = "profile"
PLAIN = "plain"
EVENTS, QUICK_EVENTS = 400_000, 200_000
ROUNDS, QUICK_ROUNDS = 5, 3
VISIBLE = 0.01  # µs
THREADS = {
    "score": "executor: decode, model, count, encode", "delivery": "delivery: into librdkafka, and its reports",
    "python": "event loop: chunks, windows, checkpoints", "fetch": "fetch: librdkafka's records become rows",
    "rdk:broker": "librdkafka: sockets, record batches", "Thread-": "membership of the group (aiokafka)",
    "clock": "this bench's clock",
}
WITHIN = {"read": "fetch", "rows": "fetch", "windows": "event loop", "enqueue": "delivery", "flush": "delivery"}


def profiled(lab: Lab, count: int) -> tuple[Run, dict[str, float]]:
    """One run of ours: CPU microseconds an event of its threads, and of its stages."""
    path = lab.home / "profile.json"
    os.environ["PROFILE"] = str(path)
    found: dict[str, float] = {}

    def each(seen: int) -> None:
        if seen == count:
            time.sleep(2 * WRITE_SECONDS)  # the last words of the clock
            found.update(msgspec.json.decode(path.read_bytes(), type=dict[str, float]))

    run = race(lab, Contender(name=OURS, module="bench.profiled_worker"), Shape(), count, each)
    return run, {stage: seconds / (count + WARM_UP) * 1e6 for stage, seconds in found.items()}


def middle(rounds: Iterable[dict[str, float]]) -> dict[str, float]:
    """Medians by key, the largest first."""
    kept = list(rounds)
    keys = {key for found in kept for key in found}
    medians = {key: round(median(found.get(key, 0.0) for found in kept), 3) for key in keys}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def tables(threads: dict[str, dict[str, float]], stages: dict[str, float]) -> list[Table]:
    """Threads of both, and stages of ours."""
    rows: list[tuple[Any, ...]] = [
        (THREADS.get(name, name), micros, threads[PLAIN].get(name)) for name, micros in threads[OURS].items()
        if micros >= VISIBLE]
    rows.append(("all", sum(threads[OURS].values()), sum(threads[PLAIN].values())))
    return [
        Table(title="By thread, µs an event", columns=("thread", "ours", "plain loop, one thread"), rows=rows),
        Table(title="By stage, µs an event", columns=("stage", "thread", "ours"),
              rows=[(stage, WITHIN.get(stage, "executor"), micros) for stage, micros in stages.items()],
              note="`rows` is in `read`; `decode`, `times`, `matrix`, `model`, `cells` and `encode` are in `step`."),
    ]


def main() -> None:
    """Measure as the options say."""
    options = arguments(NAME, "CPU microseconds an event of the score worker, by thread and by stage.").parse_args()
    machine = describe_machine()
    count, rounds = (QUICK_EVENTS, QUICK_ROUNDS) if options.quick else (EVENTS, ROUNDS)
    ours: list[Run] = []
    plain: list[Run] = []
    stages: list[dict[str, float]] = []
    with open_lab() as lab:
        race(lab, Contender(name=PLAIN), Shape(), QUICK_EVENTS)  # the broker's compiler takes one of our two cores
        for number in range(1, rounds + 1):
            run, found = profiled(lab, count)
            ours.append(run)
            stages.append(found)
            plain.append(race(lab, Contender(name=PLAIN), Shape(), count))
            say(f"round {number}: ours {ours[-1].cpu_us:.1f} us an event, plain {plain[-1].cpu_us:.1f}")
    threads = {name: middle(run.threads for run in runs) for name, runs in ((OURS, ours), (PLAIN, plain))}
    parts = middle(stages)
    figures = {"cpu_us": {OURS: median(r.cpu_us for r in ours), PLAIN: median(r.cpu_us for r in plain)},
               "threads": threads, "stages": parts}
    finish(Result(
        name=NAME, title="Where an event's time goes", command=command_line(NAME), measured_at=today(), machine=machine,
        summary="CPU of the score worker while it drains a backlog, by thread and by stage: JSON events of 8 numbers, "
                "LightGBM of 100 trees. What it means: [scoring-profile.md](scoring-profile.md).",
        figures=figures, raw=figures, tables=tables(threads, parts),
        charts=[Chart(title="CPU of an event by thread", unit="µs",
                      bars={THREADS.get(k, k): v for k, v in threads[OURS].items() if v >= VISIBLE})],
    ), options)


if __name__ == "__main__":
    main()
