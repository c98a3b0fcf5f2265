"""Resident memory of a score worker: at the start, under load, and after a million events.

Run: python -m bench.memory [--quick] [--json] [--write]
"""

from argparse import Namespace

from bench.lab import open_lab, usage
from bench.result import Machine, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from schemas.topics import PREDICTIONS

FEATURES = 8
FIRST_EVENTS = 2_000
STEPS = 10


def measure(count: int, partitions: int, *, silent: bool) -> tuple[float, list[tuple[int, float]]]:
    """MB when it is ready, and (events scored, MB) while it works off a backlog of `count`, block after block."""
    with open_lab() as lab, lab.pipeline(features=FEATURES, partitions=partitions) as pipeline, \
            progress(silent=silent) as bar:
        (worker,) = pipeline.start_workers(1)
        pipeline.fill(FIRST_EVENTS, seed=1)
        pipeline.drain(PREDICTIONS, FIRST_EVENTS)
        start, samples = usage(worker.pid).rss_mb, list[tuple[int, float]]()
        task = bar.add_task("memory", total=count)

        def each(seen: int) -> None:
            samples.append((seen - FIRST_EVENTS, usage(worker.pid).rss_mb))
            bar.update(task, completed=seen)

        for step in range(STEPS):
            pipeline.fill(count // STEPS)  # the same bytes again: from the second time on their rows are late
            pipeline.drain(PREDICTIONS, FIRST_EVENTS + (step + 1) * (count // STEPS), each=each)
            say(f"{samples[-1][0]:,} events: {samples[-1][1]:.0f} MB")
    return start, samples


def describe(start: float, samples: list[tuple[int, float]], partitions: int, machine: Machine) -> Result:
    """The stored result."""
    total = samples[-1][0]
    half = max(mb for seen, mb in samples if seen <= total / 2)
    figures = {"start_mb": start, "peak_mb": max(mb for _, mb in samples), "peak_first_half_mb": half,
               "end_mb": samples[-1][1], "events": total}
    table = Table(
        title="Resident memory of a score worker, MB",
        columns=("started", "peak of the first half", "peak", f"after {total:,} events"),
        rows=[(start, half, figures["peak_mb"], figures["end_mb"])],
        note=f"{FEATURES} features, {partitions} partitions, a backlog worked off at full speed. Bounded: the second "
             f"half added {figures['peak_mb'] - half:.1f} MB to the peak.")
    return Result(
        name="memory", title="Memory", command=command_line("memory"), measured_at=today(),
        machine=machine, figures=figures, tables=[table], raw={"samples": samples},
        summary=f"A score worker takes {start:.0f} MB when ready and at most {figures['peak_mb']:.0f} MB under load.")


def read_options() -> Namespace:
    """The command line."""
    parser = arguments("memory", "Resident memory of a score worker.")
    parser.add_argument("--events", type=int, help="(1,000,000; quick: 200,000)")
    parser.add_argument("--partitions", type=int, default=4)
    return parser.parse_args()


def main() -> None:
    """Measure and report."""
    options = read_options()
    count = options.events or (200_000 if options.quick else 1_000_000)
    machine = describe_machine()  # now: its load is told
    start, samples = measure(count, options.partitions, silent=options.json)
    finish(describe(start, samples, options.partitions, machine), options)


if __name__ == "__main__":
    main()
