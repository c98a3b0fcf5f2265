"""A model swap under load: from its announcement to the first prediction by it, and what it costs the scoring.

Run: python -m bench.swap [--quick] [--json] [--write]
"""

import threading
import time
from argparse import Namespace
from dataclasses import dataclass

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.lab import BenchPipeline, Lab, open_lab
from bench.open_loop import Answers, OpenLoop, Schedule, percentiles
from bench.result import Machine, Result, Table, arguments, command_line, describe_machine, finish, say, today
from schemas.messages import Artifact
from schemas.topics import EVENTS, PREDICTIONS, topic_name

FEATURES = 8
RATE = 2_000
WARM_UP = Schedule(rate=RATE, seconds=20)  # so long does the broker's JVM compile
SETTLE_SECONDS = 3.0
START_PATIENCE = 90.0
AROUND_SECONDS = 0.5  # on either side of a swap


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many swaps, how far apart (s), over how many partitions."""

    swaps: int
    spacing: float
    partitions: int


@dataclass(frozen=True, kw_only=True)
class Swaps:
    """Seconds on the monotonic clock, an entry a swap: `announced`, and `first`, the first prediction by the model."""

    announced: NDArray[np.float64]
    first: NDArray[np.float64]

    def delays(self) -> NDArray[np.float64]:
        """Milliseconds from announcement to the first prediction."""
        return (self.first - self.announced) * 1_000


class _Model(Struct):
    epoch: int


class _Scored(Struct):
    model: _Model


class Announcer(threading.Thread):
    """Announces the two models in turns, `spacing` seconds apart; `announced` maps each epoch to its moment."""

    def __init__(self, pipeline: BenchPipeline, models: list[Artifact], plan: Plan) -> None:
        super().__init__(daemon=True)
        self.announced: dict[int, float] = {}
        self.error: BaseException | None = None
        self._pipeline, self._models, self._plan = pipeline, models, plan

    def run(self) -> None:
        """Announce after the load has settled."""
        try:
            self._announce()
        except BaseException as error:  # noqa: BLE001 - told by whoever joins
            self.error = error

    def _announce(self) -> None:
        profile, epoch = self._pipeline.profile, self._pipeline.epoch
        assert profile is not None  # noqa: S101 - the lab announced a model with it
        begin = time.monotonic() + SETTLE_SECONDS
        for number in range(self._plan.swaps):
            time.sleep(max(0.0, begin + number * self._plan.spacing - time.monotonic()))
            now = time.monotonic()
            epoch = self._pipeline.announce_stored(self._models[(number + 1) % 2], profile, epoch, version=f"{number}")
            self.announced[epoch] = now


def measure(lab: Lab, plan: Plan) -> tuple[Answers, Swaps]:
    """Load and swaps.

    Raises:
        OpenLoopError: when a prediction is missing.
        KeyError: when a model never predicted.
    """
    load = Schedule(rate=RATE, seconds=SETTLE_SECONDS + plan.swaps * plan.spacing)
    values = [value for _, value in lab.events(FEATURES, WARM_UP.count + load.count)]
    with lab.pipeline(features=FEATURES, partitions=plan.partitions) as pipeline:
        models = [pipeline.store(lab.model(pipeline, seed).onnx) for seed in range(2)]
        loop = OpenLoop(lab.kafka, topic_name(pipeline.name, EVENTS),
                        topic_name(pipeline.name, PREDICTIONS))
        workers = pipeline.start_workers(1)
        try:
            loop.run(WARM_UP, values[:WARM_UP.count], patience=START_PATIENCE)
            announcer = Announcer(pipeline, models, plan)
            announcer.start()
            answers = loop.run(load, values[WARM_UP.count:], keep=True)
            announcer.join()
        finally:
            pipeline.stop(workers)
            loop.close()
    if announcer.error is not None:
        raise announcer.error
    return answers, find_swaps(answers, announcer.announced)


def find_swaps(answers: Answers, announced: dict[int, float]) -> Swaps:
    """When each announced epoch first predicted.

    Raises:
        KeyError: naming an epoch that never did.
    """
    epoch_of = msgspec.json.Decoder(_Scored).decode
    first: dict[int, float] = {}
    for number, value in answers.values.items():
        epoch, arrived = epoch_of(value).model.epoch, float(answers.arrived[number])
        first[epoch] = min(arrived, first.get(epoch, arrived))
    return Swaps(announced=np.array(list(announced.values())), first=np.array([first[e] for e in announced]))


def pauses(answers: Answers, swaps: Swaps) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latencies (ms) of the events due in the second around a swap, and of the others after the load settled."""
    around = np.zeros(len(answers.due), dtype=np.bool_)
    for moment in swaps.first:
        around |= np.abs(answers.due - moment) <= AROUND_SECONDS
    settled = answers.due >= answers.due[0] + SETTLE_SECONDS / 2
    latencies = answers.latencies()
    return latencies[around & settled], latencies[~around & settled]


def describe(answers: Answers, swaps: Swaps, plan: Plan, machine: Machine) -> Result:
    """The stored result."""
    delays = swaps.delays()
    near, far = (percentiles(latencies) for latencies in pauses(answers, swaps))
    figures = {
        "swaps": plan.swaps, "median_ms": float(np.median(delays)), "max_ms": float(delays.max()),
        "p99_around_ms": near["p99_ms"], "p99_elsewhere_ms": far["p99_ms"],
        "pause_ms": near["p99_ms"] - far["p99_ms"],
    }
    delay = Table(title="Announcement produced to first prediction by the new model, ms",
                  columns=("swaps", "median", "longest"),
                  rows=[(plan.swaps, figures["median_ms"], figures["max_ms"])],
                  note=f"A model of 100 trees, fetched, verified and loaded anew each time; {RATE:,} events/s over "
                       f"{plan.partitions} partitions.")
    pause = Table(title="Latency around swaps, ms", columns=("events due", "p50", "p99", "p99.9"),
                  rows=[("in the second around a swap", *near.values()), ("elsewhere", *far.values())],
                  note=f"The driver's own longest lag: {answers.sender_lag():.0f} ms.")
    return Result(
        name="swap", title="Model swap", command=command_line("swap"), measured_at=today(),
        machine=machine, figures=figures, tables=[delay, pause], raw={"delays_ms": delays.tolist()},
        summary=f"A new model serves {figures['median_ms']:.0f} ms after its announcement (median of {plan.swaps}); "
                f"the p99 latency in the second around a swap differs by {figures['pause_ms']:+.0f} ms.")


def read_options() -> tuple[Namespace, Plan]:
    """The command line."""
    parser = arguments("swap", "Model swaps under load.")
    parser.add_argument("--swaps", type=int, help="how many (40; quick: 20)")
    parser.add_argument("--spacing", type=float, default=2.5, help="seconds between them (2.5)")
    parser.add_argument("--partitions", type=int, default=4)
    options = parser.parse_args()
    return options, Plan(swaps=options.swaps or (20 if options.quick else 40), spacing=options.spacing,
                         partitions=options.partitions)


def main() -> None:
    """Measure and report."""
    options, plan = read_options()
    machine = describe_machine()  # now: its load is told
    with open_lab() as lab:
        say(f"{plan.swaps} swaps, {plan.spacing:g} s apart")
        answers, swaps = measure(lab, plan)
    finish(describe(answers, swaps, plan, machine), options)


if __name__ == "__main__":
    main()
