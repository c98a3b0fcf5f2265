"""What one event costs our scoring step, stage by stage, and how that grows with features, message size and chunk.

Run: python -m bench.growth [--quick] [--json] [--write]

In one process, on the product's own parts, in CPU time of one thread: a busy machine changes it little. `encode` is the
whole step less the stages that can be run alone, so it holds the sorting of records too. `produce` is the CPU time of
all threads of the delivery, librdkafka's among them, on a real broker.
"""

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from statistics import median
from typing import TypeVar

import psutil

from bench.lab import BenchPipeline, Lab, open_lab
from bench.result import Chart, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from schemas.codec import EventCodec, FeatureMatrix
from schemas.messages import Artifact, ModelAnnouncement
from schemas.model_log import NO_EPOCH, Accepted
from schemas.topics import PREDICTIONS, topic_name
from stream_apps.delivery import Delivery
from stream_apps.model_slot import Slots, load_model
from stream_apps.scoring import Scorer
from stream_apps.windows import PartitionWindows, WindowSettings

ResultT = TypeVar("ResultT")
NAME = "growth"
STAGES = ("decode", "matrix", "model", "count", "encode", "produce")
EVENTS = 20_000
REPEATS, QUICK_REPEATS = 10, 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """Features, padding bytes, rows of a chunk."""

    features: int = 8
    padding: int = 0
    rows: int = 4_000

    @property
    def title(self) -> str:
        """What is unusual about it."""
        unusual = [f"{self.features} features" if self.features != USUAL.features else "",
                   f"{self.padding:,} bytes more" if self.padding else "",
                   f"chunks of {self.rows:,}" if self.rows != USUAL.rows else ""]
        return ", ".join(filter(None, unusual)) or "8 features, chunks of 4,000"


@dataclass(slots=True)
class FetchedRecord:
    """As the transport hands it out."""

    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[()] = ()


USUAL = Case()
CASES = (USUAL, Case(features=32), Case(features=128), Case(padding=1_000), Case(padding=10_000),
         Case(rows=1_000), Case(rows=100))


def measure(lab: Lab, case: Case, repeats: int) -> dict[str, float]:
    """Microseconds an event of each stage: the median over the chunks, each taken `repeats` times."""
    with lab.pipeline(features=case.features) as pipeline:
        events = lab.events(case.features, EVENTS, padding=case.padding)
        now = time.time_ns() // 1_000_000
        records = [FetchedRecord(i, now, key, value) for i, (key, value) in enumerate(events)]
        chunks = [records[i:i + case.rows] for i in range(0, EVENTS, case.rows)]
        stages, predictions = _step(lab, pipeline, chunks * repeats)
        found = {name: median(seconds) / case.rows * 1e6 for name, seconds in stages.items()}
        found["produce"] = asyncio.run(_produce(lab, pipeline, predictions))
    alone = sum(found[name] for name in ("decode", "matrix", "model", "cells"))
    found["encode"] = found.pop("step") - alone
    found["count"] = found.pop("cells") + found.pop("windows")
    return {name: round(found[name], 3) for name in STAGES}


def _step(lab: Lab, pipeline: BenchPipeline,
          chunks: list[list[FetchedRecord]]) -> tuple[dict[str, list[float]], list[list[tuple[bytes | None, bytes]]]]:
    """CPU seconds of each part, chunk by chunk, and the predictions."""
    definition = pipeline.pipeline
    slots = _slots(lab, pipeline)
    champion = slots.champion
    codec, matrix, scorer = EventCodec(definition), FeatureMatrix(definition.features), Scorer(definition, "bench")
    windows = PartitionWindows(partition=0, settings=WindowSettings(
        size=definition.windows.size, lateness=definition.windows.lateness))
    stages: dict[str, list[float]] = {}
    predictions = []
    gc.collect()
    gc.freeze()  # as the service does

    def timed(name: str, part: Callable[[], ResultT]) -> ResultT:
        started = time.thread_time()
        result = part()
        stages.setdefault(name, []).append(time.thread_time() - started)
        return result

    for chunk in chunks:
        values = timed("decode", lambda: [codec.values(codec.decode(r.value).features) for r in chunk])  # noqa: B023
        numbers, discrete = matrix.split(values)
        rows = timed("matrix", lambda: matrix.join(matrix.split(values)[0], [], champion.codes))  # noqa: B023
        timed("model", lambda: champion.run(rows))  # noqa: B023
        timed("cells", lambda: champion.counter.indices(numbers, discrete))  # noqa: B023
        scored = timed("step", lambda: scorer.run(chunk, 0, slots, chunk[0].timestamp))  # noqa: B023
        timed("windows", lambda: windows.add(scored.rows, slots.layout))  # noqa: B023
        predictions.append(scored.predictions)
    return stages, predictions


def _slots(lab: Lab, pipeline: BenchPipeline) -> Slots:
    model = lab.model(pipeline)
    files = [Artifact(digest=sha256(data).hexdigest(), size=len(data), offset=0)
             for data in (model.onnx, model.profile)]
    announcement = ModelAnnouncement(replaces=NO_EPOCH, version="1", model=files[0], profile=files[1], reason="bench",
                                     decision_id="bench", issued_at=0)
    accepted = Accepted(epoch=0, profile_epoch=0, announcement=announcement)
    return Slots(epoch=0, champion=load_model(accepted, model.onnx, model.profile, pipeline.pipeline,
                                                 model.predictions))


async def _produce(lab: Lab, pipeline: BenchPipeline, predictions: list[list[tuple[bytes | None, bytes]]]) -> float:
    """CPU microseconds a prediction until Kafka has confirmed it; the first chunk only connects."""
    delivery = Delivery(lab.kafka)
    topic, process = topic_name(pipeline.name, PREDICTIONS), psutil.Process()
    await delivery.send_pairs(topic, 0, predictions[0])
    before = process.cpu_times()
    for chunk in predictions:
        await delivery.send_pairs(topic, 0, chunk)
    after = process.cpu_times()
    await delivery.close()
    seconds = after.user + after.system - before.user - before.system
    return seconds / sum(map(len, predictions)) * 1e6


def main() -> None:
    """Measure as the options say."""
    options = arguments(NAME, "CPU microseconds an event of the scoring step, by stage.").parse_args()
    machine = describe_machine()
    found: dict[Case, dict[str, float]] = {}
    with open_lab() as lab, progress(silent=options.json) as bar:
        task = bar.add_task("stages", total=len(CASES))
        for case in CASES:
            bar.update(task, description=case.title)
            found[case] = measure(lab, case, QUICK_REPEATS if options.quick else REPEATS)
            bar.advance(task)
            say(f"{case.title}: {found[case]}")
    figures = {case.title: stages | {"all": round(sum(stages.values()), 3)} for case, stages in found.items()}
    finish(Result(
        name=NAME, title="What an event costs", command=command_line(NAME), measured_at=today(), machine=machine,
        summary="CPU microseconds an event of the score worker's own parts, by stage and without the fetch: number "
                "features, LightGBM of 100 trees. The process that times them also holds all events in memory.",
        figures=figures, raw=figures,
        tables=[Table(title="µs an event", columns=("case", *STAGES, "all"),
                      rows=[(title, *stages.values()) for title, stages in figures.items()])],
        charts=[Chart(title="CPU of an event by stage, 8 features", unit="µs", bars=dict(found[USUAL]))],
    ), options)


if __name__ == "__main__":
    main()
