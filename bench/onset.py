"""From the onset of a drift to the first prediction by a better model that has shown that it is better.

The whole loop runs: score worker, recorder, labels, monitor and trainer on a real broker, PostgreSQL and MLflow. Events
come at a steady rate, their labels at once, and event time is wall time. At the onset one feature is measured half a
standard deviation too high, as after a changed sensor: what it means for the label stays.

Run: python -m bench.onset [--quick] [--json] [--write]
"""

import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from statistics import median

import msgspec
import numpy as np
from confluent_kafka import Producer
from msgspec import Struct, to_builtins
from numpy.typing import NDArray

from automl_stream.local_stack.mlflow import migrate_mlflow, store_uri
from bench.lab import Lab, open_lab
from bench.result import Machine, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from bench.workload import CLASSES
from schemas.codec import decode, encode
from schemas.messages import Label, LabelledEvent, ModelAnnouncement, Prediction, TrainingDecision
from schemas.topics import DRIFT_ALERTS, EVENTS, LABELS, MODEL_UPDATES, PREDICTIONS, TRAINING_DECISIONS, topic_name
from tests.live import Live
from trainer.bootstrap import Connections, bootstrap
from trainer.settings import RegistrySettings

FEATURES, RATE, SHIFT = 10, 1_000, 0.5  # events a second; standard deviations
REFERENCE_ROWS = 20_000
CALM_SECONDS = 30.0  # before the onset: the services are warm, and their windows close
MUST_SECONDS, AIM_SECONDS = 60.0, 20.0
PATIENCE_SECONDS = 180.0
STEP_SECONDS = 0.01

DEFINITION = """
[pipeline]
name = "{name}"
task = "binary"
partitions = 2
[windows]
size = "5s"
lateness = "1s"
[retraining]
refresh_interval = "1h"
{features}
"""


class Delays(Struct, frozen=True, kw_only=True):
    """Seconds since the onset, by the records' times; `serving`: the first prediction by the promoted model."""

    alert: float
    training: float
    announced: float
    serving: float


class Shifted(Exception):
    """The stream did not end as it should."""


def definition(name: str) -> str:
    """Text of the pipeline file: ten numbers; training needs an alert, for at this rate nobody would refit every 250
    labels."""
    tables = "\n".join(f'[[features]]\nname = "f{j}"\ntype = "number"' for j in range(FEATURES))
    return DEFINITION.format(name=name, features=tables)


def draw(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float64], list[str]]:
    """Numbers (rows, features) and the labels that follow from them."""
    numbers = rng.normal(size=(count, FEATURES))
    says = 2 * numbers[:, 0] + numbers[:, 1] + rng.normal(0, 0.5, count) > 0
    return numbers, [CLASSES[int(one)] for one in says]


def reference(digest: str, ts: int) -> Iterator[LabelledEvent]:
    """Rows that the first model is trained on, up to `ts`."""
    numbers, labels = draw(np.random.default_rng(0), REFERENCE_ROWS)
    for k, (row, label) in enumerate(zip(numbers.round(5).tolist(), labels, strict=True)):
        at = ts - REFERENCE_ROWS + k
        yield LabelledEvent(event_id=f"r{k}", entity="", ts=at, source=f"bootstrap-f00d-{k}", pipeline_digest=digest,
                            label=label, labelled_ts=at, features=row)


class Stream(threading.Thread):
    """Events with their labels, `RATE` a second. `onset`: epoch ms of the first shifted event, 0 before it."""

    def __init__(self, lab: Lab, live: Live, seed: int) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({**lab.kafka.librdkafka(), "linger.ms": 2, "enable.idempotence": True})
        self._topics = topic_name(live.name, EVENTS), topic_name(live.name, LABELS)
        self._rng = np.random.default_rng(seed)
        self._over, self._shift = threading.Event(), threading.Event()
        self.onset = 0

    def run(self) -> None:
        """Send until told to stop."""
        began, sent = time.monotonic(), 0
        while not self._over.wait(STEP_SECONDS):
            due = int((time.monotonic() - began) * RATE)
            self._send(sent, due - sent)
            sent = max(sent, due)
            self._producer.poll(0)

    def _send(self, first: int, count: int) -> None:
        numbers, labels = draw(self._rng, count)
        now = time.time_ns() // 1_000_000
        if self._shift.is_set():
            numbers[:, 0] += SHIFT
            self.onset = self.onset or now
        names = [f"f{j}" for j in range(FEATURES)]
        for k, (row, label) in enumerate(zip(numbers.round(5).tolist(), labels, strict=True), first):
            entity = f"entity-{k % 1_000}"
            event = {"event_id": f"e{k}", "ts": now, "entity": entity, "features": dict(zip(names, row, strict=True))}
            self._producer.produce(self._topics[0], msgspec.json.encode(event), entity)
            self._producer.produce(self._topics[1], encode(Label(event_id=f"e{k}", entity=entity, ts=now, label=label)),
                                   entity)

    def shift(self) -> None:
        """Let the drift begin with the next event."""
        self._shift.set()

    def stop(self) -> None:
        """Every record is confirmed when this returns."""
        self._over.set()
        self.join()
        if left := self._producer.flush(30):
            raise Shifted(f"{left} records were not confirmed")


def measure(lab: Lab, seed: int) -> Delays:
    """One pipeline from its first model to the next.

    Raises:
        AssertionError: when a service ends, or no better model serves within PATIENCE_SECONDS.
    """
    assert lab.database_url is not None  # noqa: S101 - the lab was opened with it
    registry = RegistrySettings(tracking_uri=store_uri(lab.database_url), artifact_root=str(lab.home / "mlflow"))
    live = Live(lab.kafka, lab.home, definition)
    try:
        now = time.time_ns() // 1_000_000
        bootstrap(live.pipeline, reference(live.pipeline.digest, now),
                  Connections(kafka=lab.kafka, registry=registry), lambda: now, say)
        for service in ("score", "record", "labels", "monitor"):
            live.start(service, DATABASE_URL=lab.database_url)
        live.start("trainer", module="trainer", MLFLOW_TRACKING_URI=registry.tracking_uri,
                   MLFLOW_DEFAULT_ARTIFACT_ROOT=registry.artifact_root or "")
        stream = Stream(lab, live, seed + 1)
        stream.start()
        live.until(lambda: live.count(PREDICTIONS), "the first prediction", PATIENCE_SECONDS)
        time.sleep(CALM_SECONDS)
        if live.count(DRIFT_ALERTS) or live.count(MODEL_UPDATES) > 1:
            raise Shifted("something happened before the onset; the budget lets it, in one run of many: run it again")
        stream.shift()
        live.until(lambda: live.count(MODEL_UPDATES) > 1, "a better model", PATIENCE_SECONDS)
        epoch = live.count(MODEL_UPDATES) - 1
        served = live.until(lambda: first_served(live, epoch), "its first prediction", PATIENCE_SECONDS)
        stream.stop()
        return delays(live, stream.onset, served)
    finally:
        live.close()


def first_served(live: Live, epoch: int) -> int:
    """Kafka's time (epoch ms) of the first prediction by the model of this epoch; 0 where there is none yet."""
    return min((record.timestamp for record in live.records(PREDICTIONS)
                if decode(record.value or b"", Prediction).model.epoch >= epoch), default=0)


def delays(live: Live, onset: int, served: int) -> Delays:
    """What the topics tell of the way from the onset to the new model."""
    alert = live.records(DRIFT_ALERTS)[0]
    announcement = live.records(MODEL_UPDATES)[1]
    decision_id = decode(announcement.value or b"", ModelAnnouncement).decision_id
    decisions = [(record.timestamp, decode(record.value or b"", TrainingDecision))
                 for record in live.records(TRAINING_DECISIONS)]
    promoted = next(decision for _, decision in decisions if decision.decision_id == decision_id)
    if promoted.trigger != "incident":
        raise Shifted(f"the model came of '{promoted.trigger}', not of the alert")
    trained = next(at for at, decision in decisions if decision.verdict == "trained" and decision.incident_id)
    return Delays(alert=(alert.timestamp - onset) / 1_000, training=(trained - onset) / 1_000,
                  announced=(announcement.timestamp - onset) / 1_000, serving=(served - onset) / 1_000)


def describe(rounds: list[Delays], machine: Machine) -> Result:
    """The stored result."""
    steps = {"alert": "alert", "training": "decision to train", "announced": "better model announced",
             "serving": "first prediction by it"}
    found = {name: [getattr(one, name) for one in rounds] for name in steps}
    figures = {**{f"{name}_s": median(seconds) for name, seconds in found.items()},
               "longest_s": max(found["serving"]), "rounds": len(rounds)}
    return Result(
        name="onset", title="Drift onset to a better model serving", command=command_line("onset"), measured_at=today(),
        machine=machine, figures=figures, raw={"rounds": to_builtins(rounds)},
        summary=f"{figures['serving_s']:.1f} s from the onset of a shift of {SHIFT} sd to the first prediction by a "
                f"model that was shown to be better (at most {MUST_SECONDS:.0f} s, aim {AIM_SECONDS:.0f} s).",
        tables=[Table(title="Seconds since the onset", columns=("step", "median", "longest"),
                      rows=[(step, median(found[name]), max(found[name])) for name, step in steps.items()],
                      note=f"{len(rounds)} runs, each a pipeline of its own; {RATE:,} events/s with labels at once, "
                           f"{FEATURES} features, windows of 5 s and a lateness of 1 s.")])


def read_options() -> Namespace:
    """The command line."""
    parser = arguments("onset", "From the onset of a drift to a better model serving.")
    parser.add_argument("--rounds", type=int, help="runs (5; quick: 1)")
    return parser.parse_args()


def main() -> None:
    """Measure and report."""
    options = read_options()
    machine = describe_machine("Apache Kafka 4.4.0 and PostgreSQL, same machine")  # now: its load is told
    rounds: list[Delays] = []
    with open_lab(postgres=True) as lab, progress(silent=options.json) as bar:
        assert lab.database_url is not None  # noqa: S101 - as in measure
        migrate_mlflow(lab.database_url)
        for seed in bar.track(range(options.rounds or (1 if options.quick else 5)), description="onset"):
            rounds.append(measure(lab, seed))
            say(f"round {seed}: {to_builtins(rounds[-1])}")
    finish(describe(rounds, machine), options)


if __name__ == "__main__":
    main()
