"""Retraining: from the decision to train to the announcement of the model that won, by step.

A real trainer, with a real broker and MLflow on PostgreSQL. All rows lie in `labelled` before it starts: nothing waits
for a label. The rule that labels follow turns at each round, so that each ends in a promotion.

Run: python -m bench.retraining [--quick] [--json] [--write]
"""

import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import msgspec
import numpy as np

from automl_stream.local_stack.mlflow import migrate_mlflow, store_uri
from bench.lab import Lab, open_lab
from bench.result import Machine, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from bench.workload import CLASSES, START_MS
from schemas.codec import decode, encode
from schemas.messages import LabelledEvent, ModelAnnouncement, TrainerState, TrainingDecision
from schemas.topics import LABELLED, MODEL_UPDATES, TRAINER_STATE, TRAINING_DECISIONS
from tests.live import Live
from trainer.bootstrap import Connections, bootstrap
from trainer.settings import RegistrySettings

FEATURES, ROWS = 10, 20_000  # ROWS: that the largest window of the first round has
REFRESH, HEAD_START = 250, 100  # labels from round to round; so much earlier comes the first
MUST_SECONDS, AIM_SECONDS = 5.0, 2.0
PATIENCE_SECONDS = 300.0
STEPS = {"export_s": "ONNX", "parity_s": "parity check", "registry_s": "MLflow run and version",
         "artifacts_s": "artifacts", "announcement_s": "announcement"}

DEFINITION = """
[pipeline]
name = "{name}"
task = "binary"
partitions = 1
{features}
"""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One promotion, in seconds. `total`: from the record of the decision to the record of the announcement; `fits`, in
    the order of the fits: (family, rows, seconds); `steps`: as in STEPS; `aliases`: after the announcement."""

    family: str
    window: str
    total: float
    fits: list[tuple[str, int, float]]
    steps: dict[str, float]
    aliases: float

    @property
    def fitting(self) -> float:
        """Seconds of all fits."""
        return sum(seconds for _, _, seconds in self.fits)

    @property
    def rest(self) -> float:
        """Seconds of everything else: the rows of the gate, reading, and what nobody timed."""
        return self.total - self.fitting - sum(self.steps.values())


def definition(name: str) -> str:
    """Text of the pipeline file: ten numbers, everything else by default."""
    tables = "\n".join(f'[[features]]\nname = "f{j}"\ntype = "number"' for j in range(FEATURES))
    return DEFINITION.format(name=name, features=tables)


def labelled(digest: str, count: int, turns: int) -> Iterator[LabelledEvent]:
    """Rows of `labelled`; from `turns` on the rule is another one every REFRESH rows."""
    rng = np.random.default_rng(0)
    numbers, noise = rng.normal(size=(count, FEATURES)), rng.normal(0, 0.5, count)
    angles = np.maximum(np.arange(count) - turns + REFRESH, 0) // REFRESH * 1.2
    says = np.cos(angles) * numbers[:, 0] + np.sin(angles) * numbers[:, 1] + 0.5 * numbers[:, 2] + noise > 0
    for k, (row, label) in enumerate(zip(numbers.round(5).tolist(), says.tolist(), strict=True)):
        yield LabelledEvent(event_id=f"e{k}", entity="", ts=START_MS + k, source=f"bootstrap-f00d-{k}",
                            pipeline_digest=digest, label=CLASSES[label], labelled_ts=START_MS + k, features=row)


def measure(lab: Lab, rounds: int) -> tuple[list[Round], float]:
    """Each promotion of a trainer that has `rounds` of them to make, and the seconds it took to resume.

    Raises:
        RuntimeError: when it ends or takes too long.
    """
    if lab.database_url is None:
        raise RuntimeError("the lab has no PostgreSQL")
    migrate_mlflow(lab.database_url)
    registry = RegistrySettings(tracking_uri=store_uri(lab.database_url), artifact_root=str(lab.home / "mlflow"))
    live = Live(lab.kafka, lab.home, definition)
    known = ROWS - REFRESH + HEAD_START
    rows = list(labelled(live.pipeline.digest, known + rounds * REFRESH, known))
    try:
        connections = Connections(kafka=lab.kafka, registry=registry)
        bootstrap(live.pipeline, rows[:known], connections, lambda: START_MS, say)
        live.write(LABELLED, 0, *map(encode, rows[known:]))
        live.start("trainer", module="trainer", MLFLOW_TRACKING_URI=registry.tracking_uri,
                   MLFLOW_DEFAULT_ARTIFACT_ROOT=registry.artifact_root or "")
        live.until(lambda: decode(live.records(TRAINER_STATE)[-1].value or b"", TrainerState).covered == len(rows),
                   "the trainer", PATIENCE_SECONDS)
        return read_rounds(live)
    finally:
        live.close()


def read_rounds(live: Live) -> tuple[list[Round], float]:
    """What topics and the trainer's log tell of rounds of training; bootstrap is left out, and so is a promotion
    without one: of a model that an earlier round left in the pool."""
    trained: dict[str, int] = {}
    for record in live.records(TRAINING_DECISIONS):
        decision = decode(record.value or b"", TrainingDecision)
        if decision.verdict == "trained":
            trained[decision.decision_id] = record.timestamp
    announced = {decode(record.value or b"", ModelAnnouncement).decision_id: record.timestamp
                 for record in live.records(MODEL_UPDATES)}
    lines = [msgspec.json.decode(line) for line in live.log("trainer").read_bytes().splitlines()
             if line.startswith(b"{")]
    resumed = next(line["seconds"] for line in lines if line["event"] == "resumed")
    return [_round(lines[: place + 1], trained, announced) for place, line in enumerate(lines)
            if line["event"] == "model announced" and line["decision_id"] in trained], resumed


def _round(lines: list[dict[str, Any]], trained: dict[str, int], announced: dict[str, int]) -> Round:
    """The round that the last line ends, which is its model's announcement."""
    *before, last = lines
    decision_id = last["decision_id"]
    began = next(place for place, line in enumerate(before) if line.get("decision_id") == decision_id)
    fits = [(line["family"], line["rows"], line["seconds"]) for line in before[began:] if line["event"] == "fitted"]
    return Round(family=last["family"], window=str(last["window"]), fits=fits, aliases=last["aliases_s"],
                 total=(announced[decision_id] - trained[decision_id]) / 1_000,
                 steps={name: last.get(key, 0.0) for key, name in STEPS.items()})


def describe(rounds: list[Round], resumed: float, machine: Machine) -> Result:
    """The stored result. The first round loads the libraries: it stands apart."""
    first, *warm = rounds
    totals = [r.total for r in warm]
    steps = {"fits": median(r.fitting for r in warm),
             **{name: median(r.steps[name] for r in warm) for name in STEPS.values()},
             "gate's rows and the rest": median(r.rest for r in warm)}
    fits = {f"{family}, {size:,} rows": seconds for family, size, seconds in warm[-1].fits}
    figures: dict[str, Any] = {
        "seconds": median(totals), "longest": max(totals), "first": first.total, "resume": resumed,
        "rounds": len(rounds), "steps": steps, "fits": fits, "aliases": median(r.aliases for r in warm)}
    return Result(
        name="retraining", title="Retraining", command=command_line("retraining"), measured_at=today(), machine=machine,
        figures=figures, raw={"rounds": [msgspec.to_builtins(vars(r)) for r in rounds]},
        summary=f"{figures['seconds']:.2f} s from the decision to the announcement of a model, {ROWS:,} rows x "
                f"{FEATURES} features, {len(warm[-1].fits)} fits (at most {MUST_SECONDS:.0f} s, aim {AIM_SECONDS:.0f} "
                f"s); {first.total:.2f} s for the first one after a start.",
        tables=[
            Table(title="Decision to announcement, s", columns=("step", "median", "longest", "first after a start"),
                  rows=[*((name, value, max(_step(r, name) for r in warm), _step(first, name))
                          for name, value in steps.items()),
                        ("all of it", figures["seconds"], figures["longest"], first.total)],
                  note=f"{len(warm)} promotions; MLflow writes to PostgreSQL; pictures and aliases come after the "
                       f"announcement ({figures['aliases']:.3f} s until the aliases follow)."),
            Table(title="Fits of the last round, s", columns=("family and rows", "seconds"), rows=list(fits.items())),
        ])


def _step(found: Round, name: str) -> float:
    return {"fits": found.fitting, "gate's rows and the rest": found.rest, **found.steps}[name]


def read_options() -> Namespace:
    """The command line."""
    parser = arguments("retraining", "From the decision to train to the announcement, by step.")
    parser.add_argument("--rounds", type=int, help="promotions (11; quick: 4)")
    return parser.parse_args()


def main() -> None:
    """Measure and report."""
    options = read_options()
    count = options.rounds or (4 if options.quick else 11)
    machine = describe_machine("Apache Kafka 4.4.0 and PostgreSQL, same machine")  # now: its load is told
    began = time.monotonic()
    with open_lab(postgres=True) as lab, progress(silent=options.json) as bar:
        task = bar.add_task("retraining", total=None)
        rounds, resumed = measure(lab, count)
        bar.remove_task(task)
    for number, found in enumerate(rounds):
        say(f"round {number}: {found.total:.3f} s, of which {found.fitting:.3f} s fits; {found.family} on "
            f"{found.window} won")
    say(f"{time.monotonic() - began:.0f} s in all")
    finish(describe(rounds, resumed, machine), options)


if __name__ == "__main__":
    main()
