"""Open-loop latency from when an event was due to its prediction consumed: our worker and a plain loop, in turns.

Run: python -m bench.latency [--quick] [--json] [--write]

The plain loop (bench/contenders/plain.py) polls every 3 ms, waits for no confirmation and counts nothing. Events leave
on a fixed schedule with linger 2 ms; see bench/open_loop.py on coordinated omission.
"""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench.lab import Lab, open_lab
from bench.open_loop import PERCENTILES, OpenLoop, Schedule, percentiles
from bench.race import OURS, Contender
from bench.result import Machine, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from bench.workload import START_MS
from schemas.topics import EVENTS, PREDICTIONS, topic_name

RATES = (1_000, 5_000)
FEATURES = 8
CONTENDERS = (Contender(name=OURS), Contender(name="plain"))
BROKER_WARM_UP = Schedule(rate=5_000, seconds=30)
WARM_UP = Schedule(rate=1_000, seconds=5)
SETTLE_SECONDS = 1.0  # at the head of every load: a new rate is not yet a steady one
START_PATIENCE = 90.0  # seconds that a worker may take to start


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often, how long, over how many partitions."""

    rounds: int
    seconds: float
    partitions: int

    def loads(self) -> list[Schedule]:
        """What a contender is put under, once it is warm."""
        return [Schedule(rate=rate, seconds=SETTLE_SECONDS + self.seconds) for rate in RATES]


Rounds = dict[str, dict[int, list[dict[str, float]]]]
"""Contender, rate, round: percentiles in ms, the longest latency, and the driver's own lag."""


def measure(lab: Lab, plan: Plan, *, silent: bool) -> Rounds:
    """Every contender under every rate, round by round in turns."""
    warm_the_broker(lab, plan.partitions)
    values = list(_values(lab, (WARM_UP, *plan.loads())))
    found: Rounds = {contender.name: {rate: [] for rate in RATES} for contender in CONTENDERS}
    with progress(silent=silent) as bar:
        task = bar.add_task("latency", total=plan.rounds * len(CONTENDERS))
        for _ in range(plan.rounds):
            for contender in CONTENDERS:
                for rate, seen in one_round(lab, contender, plan, values).items():
                    found[contender.name][rate].append(seen)
                    say(f"{contender.name} at {rate}/s: " + ", ".join(f"{k} {v:.1f}" for k, v in seen.items()))
                bar.advance(task)
    return found


def warm_the_broker(lab: Lab, partitions: int) -> None:
    """Load that is not measured: for half a minute the broker's JVM compiles on one of our two cores."""
    values = next(_values(lab, [BROKER_WARM_UP]))
    with lab.pipeline(features=FEATURES, partitions=partitions) as pipeline:
        loop = OpenLoop(lab.kafka, topic_name(pipeline.name, EVENTS),
                        topic_name(pipeline.name, PREDICTIONS))
        processes = pipeline.start_workers(1)
        try:
            loop.run(BROKER_WARM_UP, values, patience=START_PATIENCE)
        finally:
            pipeline.stop(processes)
            loop.close()


def one_round(lab: Lab, contender: Contender, plan: Plan,
              values: Sequence[Sequence[bytes]]) -> dict[int, dict[str, float]]:
    """One contender, started afresh and warm, under each rate."""
    with lab.pipeline(features=FEATURES, partitions=plan.partitions) as pipeline:
        loop = OpenLoop(lab.kafka, topic_name(pipeline.name, EVENTS),
                        topic_name(pipeline.name, PREDICTIONS))
        processes = contender.start(pipeline, lab, 1)
        try:
            loop.run(WARM_UP, values[0], patience=START_PATIENCE)
            found = {}
            for load, events in zip(plan.loads(), values[1:], strict=True):
                answers = loop.run(load, events)
                latencies = answers.latencies(SETTLE_SECONDS)
                found[load.rate] = percentiles(latencies) | {
                    "max_ms": float(latencies.max()), "sender_lag_ms": answers.sender_lag()}
        finally:
            pipeline.stop(processes)
            loop.close()
    return found


def _values(lab: Lab, loads: Sequence[Schedule]) -> Iterator[list[bytes]]:
    """Events of one load after the other, their times going on: none is late."""
    start = START_MS
    for load in loads:
        yield [value for _, value in lab.events(FEATURES, load.count, start_ms=start)]
        start += load.count


def summary(found: Rounds) -> dict[str, dict[str, float]]:
    """Medians of the rounds, by rate: ours under the plain names, the loop's behind `plain_`."""
    return {str(rate): {
        prefix + name: median(seen[name] for seen in found[contender][rate])
        for contender, prefix in ((OURS, ""), ("plain", "plain_")) for name in PERCENTILES
    } for rate in RATES}


def describe(found: Rounds, plan: Plan, machine: Machine) -> Result:
    """The stored result."""
    figures = summary(found)
    rows: list[tuple[str | float | None, ...]] = []
    for rate in RATES:
        for contender in found:
            prefix = "" if contender == OURS else "plain_"
            rows.append((f"{rate:,}/s", contender, *(figures[str(rate)][prefix + name] for name in PERCENTILES),
                         max(seen["max_ms"] for seen in found[contender][rate]),
                         max(seen["sender_lag_ms"] for seen in found[contender][rate])))
    note = (f"Medians of {plan.rounds} rounds of {plan.seconds:g} s in turns; longest and driver lag: the worst of "
            f"all. {plan.partitions} partitions, linger 2 ms. Counted from when an event was due: the driver's own lag "
            "is in the latencies.")
    table = Table(title="Latency, ms", columns=("load", "", "p50", "p99", "p99.9", "longest", "driver lag"), rows=rows,
                  note=note)
    ratios = [figures[str(rate)]["p99_ms"] / figures[str(rate)]["plain_p99_ms"] for rate in RATES]
    return Result(
        name="latency", title="Latency", command=command_line("latency"), measured_at=today(), machine=machine,
        summary="From an event due to its prediction consumed, under a load that waits for nobody. Our p99 is "
                + " and ".join(f"{ratio:.1f}" for ratio in ratios) + " times the plain loop's at "
                + " and ".join(f"{rate:,}" for rate in RATES) + " events/s.",
        figures=figures, tables=[table], raw={"rounds": {c: {str(r): s for r, s in by.items()} for c, by in
                                                         found.items()}})


def read_options() -> tuple[Namespace, Plan]:
    """The command line."""
    parser = arguments("latency", "Open-loop latency against a plain confluent-kafka loop.")
    parser.add_argument("--rounds", type=int, help="of each contender (5; quick: 3)")
    parser.add_argument("--seconds", type=float, help="of each load (20; quick: 10)")
    parser.add_argument("--partitions", type=int, default=4)
    options = parser.parse_args()
    return options, Plan(rounds=options.rounds or (3 if options.quick else 5), partitions=options.partitions,
                         seconds=options.seconds or (10 if options.quick else 20))


def main() -> None:
    """Measure and report."""
    options, plan = read_options()
    machine = describe_machine()  # now: its load is told
    with open_lab() as lab:
        found = measure(lab, plan, silent=options.json)
    finish(describe(found, plan, machine), options)


if __name__ == "__main__":
    main()
