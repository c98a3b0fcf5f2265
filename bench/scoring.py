"""Throughput from topic to topic: our score worker beside its peers, in turns, on one broker with one model.

Run: python -m bench.scoring [--quick] [--json] [--write]
"""

from collections.abc import Iterable
from statistics import median
from typing import Any

from rich.progress import Progress

from bench.contenders.environment import python_of
from bench.lab import Lab, open_lab
from bench.race import OURS, Contender, Run, Shape, race
from bench.result import (
    Chart,
    Result,
    Table,
    arguments,
    command_line,
    describe_machine,
    finish,
    medians,
    progress,
    say,
    today,
)

NAME = "scoring"
LIMIT, QUIX, SEND, TAKE = "plain", "quix", "faust_send", "faust_take"
TITLES = {
    OURS: "this project: score worker, all guarantees on", LIMIT: "plain confluent-kafka loop, no guarantees",
    QUIX: "Quix Streams", TAKE: "Faust, take(1000)", SEND: "Faust, one send an event",
}
EVENTS = {OURS: 200_000, LIMIT: 200_000, QUIX: 40_000, TAKE: 20_000, SEND: 12_000}  # 3-8 s each
FULL_FACTOR = 2
BROKER_WARM_UP = 200_000
FIRST = Shape()
SHAPES = (FIRST, Shape(partitions=4), Shape(partitions=4, workers=2))


def measure(lab: Lab, names: Iterable[str], shape: Shape, rounds: int, factor: int, bar: Progress) -> list[Run]:
    """Contender after contender, round after round."""
    contenders = [Contender(name=name, python=python_of(name)) if name == QUIX else Contender(name=name)
                  for name in names]
    runs: list[Run] = []
    task = bar.add_task(_shape(shape), total=rounds * len(contenders))
    for number in range(1, rounds + 1):
        for contender in contenders:
            bar.update(task, description=f"{_shape(shape)}, round {number}: {contender.name}")
            run = race(lab, contender, shape, EVENTS[contender.name] * factor * shape.workers)
            runs.append(run)
            bar.advance(task)
            say(f"{_shape(shape)}, round {number}: {contender.name} {run.per_second:,.0f} events/s, "
                f"{run.cpu_us:.1f} us CPU an event")
    return runs


def figures(runs: list[Run]) -> dict[str, Any]:
    """Medians and ratios of one shape, and every round."""
    speeds = rounds_of(runs)
    middle = medians(speeds)
    named = {_key(name): round(value) for name, value in middle.items()}
    ours = middle[OURS]
    ratios = {f"ratio_{short}": round(ours / middle[name], 3)
              for short, name in (("limit", LIMIT), ("quix", QUIX), ("faust", SEND), ("faust_take", TAKE))
              if name in middle}
    return named | ratios | {
        "rounds": {_key(name): [round(value) for value in values] for name, values in speeds.items()},
        "cpu_us": {_key(name): round(median(r.cpu_us for r in runs if r.contender == name), 2) for name in speeds},
        "rss_mb": {_key(name): round(max(r.rss_mb for r in runs if r.contender == name)) for name in speeds},
    }


def _key(name: str) -> str:
    return "limit" if name == LIMIT else name


def rounds_of(runs: list[Run]) -> dict[str, list[float]]:
    """Events a second of each contender's rounds."""
    return {name: [run.per_second for run in runs if run.contender == name]
            for name in dict.fromkeys(run.contender for run in runs)}


def table(shape: Shape, runs: list[Run]) -> Table:
    """One shape as a reader sees it."""
    speeds = rounds_of(runs)
    middle = medians(speeds)
    rows: list[tuple[str | float | None, ...]] = []
    for name, values in speeds.items():
        cpu = median(run.cpu_us for run in runs if run.contender == name)
        rows.append((TITLES[name], middle[name], middle[OURS] / middle[name], cpu,
                     " ".join(f"{value:,.0f}" for value in values)))
    return Table(title=_shape(shape), columns=("contender", "events/s (median)", "ours / theirs", "CPU µs an event",
                                               "rounds"), rows=rows)


def _shape(shape: Shape) -> str:
    return (f"{shape.partitions} partition{'s' if shape.partitions > 1 else ''}, "
            f"{shape.workers} worker{'s' if shape.workers > 1 else ''}")


def main() -> None:
    """Measure as the options say."""
    parser = arguments(NAME, "Events a second from topic to topic, beside peers that do the same work.")
    parser.add_argument("--rounds", type=int, default=3, help="of every contender (default 3)")
    options = parser.parse_args()
    shapes = (FIRST,) if options.quick else SHAPES
    names = [OURS, LIMIT, QUIX, SEND] if options.quick else list(TITLES)
    machine = describe_machine()
    with open_lab() as lab, progress(silent=options.json) as bar:
        race(lab, Contender(name=LIMIT), FIRST, BROKER_WARM_UP)  # its JVM compiles on one of our two cores
        runs = {shape: measure(lab, names, shape, options.rounds, 1 if options.quick else FULL_FACTOR, bar)
                for shape in shapes}
    first = medians(rounds_of(runs[FIRST]))
    finish(Result(
        name=NAME, title="Scoring: events a second", command=command_line(NAME), measured_at=today(), machine=machine,
        summary="JSON events of 8 numbers in, LightGBM of 100 trees in ONNX, JSON predictions out: the same bytes, "
                "model and broker for all, in turns. A backlog is drained by processes that have warmed up; timed from "
                "10 % of the predictions to the last, and every prediction is checked against the model afterwards.",
        figures=figures(runs[FIRST]), tables=[table(shape, found) for shape, found in runs.items()],
        charts=[Chart(title=f"Scoring, {_shape(FIRST)}", unit="events/s",
                      bars={TITLES[name]: value for name, value in first.items()})],
        raw={_shape(shape): figures(found) for shape, found in runs.items()},
    ), options)


if __name__ == "__main__":
    main()
