"""One contender's run: start its processes, let them warm up, pause them, write the backlog, and time how it drains.

Every contender is treated alike: a pipeline of its own, its group complete and 2,000 events scored before the backlog
is there, so that neither start-up nor rebalancing is timed; every prediction is checked afterwards.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import msgspec
from confluent_kafka import ConsumerGroupState, KafkaException  # pyright: ignore[reportPrivateImportUsage]  # documented
from confluent_kafka.admin import AdminClient  # pyright: ignore[reportPrivateImportUsage]  # documented
from msgspec import Struct

from bench.contenders.work import Task
from bench.correctness import Unsound, check, scores_of
from bench.lab import BenchPipeline, Lab, thread_seconds, usage
from bench.workload import CLASSES
from schemas.topics import EVENTS, PREDICTIONS, topic_name

ROOT = Path(__file__).parents[1]
OURS = "ours"
WARM_UP, WARM_UP_SEED = 2_000, 1


class Shape(Struct, frozen=True, kw_only=True):
    """How many partitions, processes, features and padding bytes."""

    partitions: int = 1
    workers: int = 1
    features: int = 8
    padding: int = 0


class Run(Struct, frozen=True, kw_only=True):
    """What one run gave. `cpu_us`: CPU microseconds of all its processes an event; `threads`: of the threads of the
    first one by name, where it has all events; `rss_mb` of the largest."""

    contender: str
    shape: Shape
    events: int
    per_second: float
    cpu_us: float
    threads: dict[str, float]
    rss_mb: float


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A peer: the interpreter of its process; `module`: what runs in ours."""

    name: str
    python: str = sys.executable
    module: str = "stream_apps.score"

    def start(self, pipeline: BenchPipeline, lab: Lab, workers: int) -> list[Popen[bytes]]:
        """Start its processes in one group."""
        if self.name == OURS:
            return pipeline.start_workers(workers, module=self.module)
        return [self._start(pipeline, lab, number) for number in range(workers)]

    def _start(self, pipeline: BenchPipeline, lab: Lab, number: int) -> Popen[bytes]:
        model, file = lab.model(pipeline), lab.home / f"{pipeline.name}.onnx"
        file.write_bytes(model.onnx)
        task = Task(bootstrap_servers=lab.kafka.servers, events=topic_name(pipeline.name, EVENTS),
                    predictions=topic_name(pipeline.name, PREDICTIONS), group=f"{pipeline.name}.score",
                    model=str(file), digest=model.digest, features=[f.name for f in pipeline.pipeline.features],
                    classes=list(CLASSES), state=str(lab.home / f"{pipeline.name}-{number}"))
        with pipeline.log(f"{self.name}-{number}").open("ab") as log:
            return subprocess.Popen(
                [self.python, "-m", f"bench.contenders.{self.name}", msgspec.json.encode(task).decode()],
                env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=ROOT, stdout=log, stderr=log)


def race(lab: Lab, contender: Contender, shape: Shape, count: int,
         each: Callable[[int], None] = lambda _: None) -> Run:
    """One run over `count` events."""
    with lab.pipeline(features=shape.features, partitions=shape.partitions) as pipeline:
        processes = contender.start(pipeline, lab, shape.workers)
        try:
            _await_group(lab.admin, pipeline, processes, shape)
            pipeline.fill(WARM_UP, seed=WARM_UP_SEED)
            pipeline.drain(PREDICTIONS, WARM_UP, processes=processes)
            backlog = lab.events(shape.features, count, padding=shape.padding)
            _signal(processes, signal.SIGSTOP)  # for less than a session: the events are made before
            pipeline.produce(topic_name(pipeline.name, EVENTS), backlog)
            before = [usage(process.pid).cpu_seconds for process in processes]
            threads_before = thread_seconds(processes[0].pid)
            _signal(processes, signal.SIGCONT)
            drain = pipeline.drain(PREDICTIONS, WARM_UP + count, processes=processes,
                                   each=lambda seen: each(max(0, seen - WARM_UP)))
            after = [usage(process.pid) for process in processes]
            threads = thread_seconds(processes[0].pid)
        finally:
            _signal(processes, signal.SIGCONT)
            pipeline.stop(processes)
        found = [record.value or b"" for record in pipeline.records(PREDICTIONS)]
        check(found, scores_of(lab, pipeline, count, shape.padding), WARM_UP)
    begin = (WARM_UP + 0.1 * count) / (WARM_UP + count)
    cpu = sum(a.cpu_seconds - b for a, b in zip(after, before, strict=True))
    return Run(contender=contender.name, shape=shape, events=count, per_second=drain.per_second(begin),
               cpu_us=cpu / count * 1e6,
               threads={name: (seconds - threads_before.get(name, 0.0)) / count * 1e6
                        for name, seconds in threads.items()},
               rss_mb=max(a.rss_mb for a in after))


def _await_group(admin: AdminClient, pipeline: BenchPipeline, processes: Sequence[Popen[bytes]], shape: Shape) -> None:
    """Until the group is stable and every process that can have a partition has one."""
    group, wanted = f"{pipeline.name}.score", min(shape.workers, shape.partitions)

    def complete() -> bool:
        if any(process.poll() is not None for process in processes):
            raise Unsound(f"a process ended before it had partitions\n{pipeline.tails()}")
        try:
            (asked,) = admin.describe_consumer_groups([group], request_timeout=10).values()
            found = asked.result()
        except KafkaException:
            return False  # no coordinator yet
        owners = [member for member in found.members if member.assignment and member.assignment.topic_partitions]
        return found.state == ConsumerGroupState.STABLE and len(owners) >= wanted

    pipeline.until(complete, f"{wanted} members of {group}")


def _signal(processes: Sequence[Popen[bytes]], number: signal.Signals) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)
