"""The score service: chunks of `events` in; predictions, dead letters, window counts and checkpoints out.

Run: python -m stream_apps.score
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import structlog
from faust.types import TP

from kafka_access.definition import in_force
from schema_registry.events import event_codec
from schema_registry.patience import patiently
from schemas.codec import EventFormat, encode
from schemas.messages import DeadLetter
from schemas.pipeline import Pipeline, load_pipeline
from schemas.topics import DEAD_LETTERS, EVENTS, Topic, topic_name
from stream_apps.checkpoints import Standing, read_standings
from stream_apps.crash_file import CrashFile, Range
from stream_apps.delivery import Delivery
from stream_apps.lag import watch_kafka
from stream_apps.metrics.score import ScoreMetrics
from stream_apps.model_follower import ModelFollower
from stream_apps.model_slot import Slots
from stream_apps.partition import ScoredPartition
from stream_apps.quarantine import deadly_rows
from stream_apps.scoring import Pair, ScoredChunk, Scorer, joined
from stream_apps.settings import ServiceSettings, explained, read_settings
from stream_apps.topics import topic_id
from stream_apps.transport import StreamApp
from stream_apps.windows import CountedRows, WindowSettings
from stream_apps.worker import WorkerSettings, die, make_app, run, when_assigned
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

TURN_SECONDS = 0.02
TURNS = 10  # until a partition is checkpointed again
MAX_WAITING = 64  # chunks that wait for a checkpoint
MAX_UNDELIVERED = 6  # chunks whose outputs are on their way
SMALL_CHUNK = 64  # rows that are scored before another thread would have begun
PART_ROWS = 2_000  # of a chunk, for one of two threads

log = structlog.get_logger()


class ScoreAgent:
    """Scores the partitions that this worker owns."""

    def __init__(self, pipeline: Pipeline, settings: ServiceSettings, app: StreamApp, delivery: Delivery,
                 codec: EventFormat | None = None) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._app = app
        self._delivery = delivery
        self._events = topic_name(pipeline.name, EVENTS)
        self._scorer = Scorer(pipeline, topic_id(self._events, settings.kafka), codec)
        self._windows = WindowSettings(size=pipeline.windows.size, lateness=pipeline.windows.lateness)
        self._partitions: dict[int, ScoredPartition] = {}
        self._room = asyncio.Semaphore(MAX_UNDELIVERED)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="score")
        self._crash_file = CrashFile(settings.state, f"{pipeline.name}-score-{settings.instance}")
        self.metrics = ScoreMetrics()
        self.follower = ModelFollower(pipeline, settings.kafka, self.metrics.serving)

    # The way of a chunk

    async def score(self, stream: Any) -> None:
        """Score chunk after chunk; any failure ends the process and the rows are read again."""
        events: AsyncIterator[Any] = stream.noack().events()
        async for event in events:
            message = event.message
            partition = self._partitions.get(message.partition)
            if partition is None or not self._app.consumer.current(message):
                continue
            await self.follower.serving()
            async with partition.scoring:
                if self._app.consumer.current(message):
                    await self._score_chunk(partition, message)

    async def _score_chunk(self, partition: ScoredPartition, message: Any) -> None:
        slots = await self._slots(partition)
        if partition.epoch != slots.epoch:
            await self._swap(partition, slots)
        records = message.take()
        rows = Range(self._scorer.topic_id, partition.partition, message.first, message.end)
        started = time.perf_counter()
        with self._crash_file.scoring(rows):
            chunk = await patiently(lambda: self._scored(partition.partition, rows, slots, records),
                                    lambda: self._app.consumer.current(message), partition=partition.partition)
        if chunk is None:
            return
        self._crash_file.acquit(rows)
        self.metrics.seconds.observe(time.perf_counter() - started)
        await self._room.acquire()
        if not self._app.consumer.current(message):
            self._room.release()
            return  # revoked meanwhile: the next owner reads these rows again
        delivery = partition.add(message, message.end, chunk, slots.layout)
        delivery.add_done_callback(lambda done: self._delivered(done, chunk.rows))
        self._count(chunk)
        await asyncio.sleep(0)  # its outputs leave before the next chunk, which may wait already, is scored
        while partition.waiting >= MAX_WAITING:
            await partition.checkpoint()

    async def _slots(self, partition: ScoredPartition) -> Slots:
        """The newest models; the checkpoint's for rows that they have scored before, or where they are newer still."""
        slots = await self.follower.serving()
        if partition.repeats or partition.epoch > slots.epoch:
            return await self.follower.at(partition.epoch)
        return slots

    async def _scored(self, partition: int, rows: Range, slots: Slots, records: Sequence[Any]) -> ScoredChunk:
        now = time.time_ns() // 1_000_000
        deadly: set[int] = set()
        if self._crash_file.suspected(rows):
            log.warning("this worker died three times over these rows: they are tried one by one", partition=partition,
                        first=rows.first, last=rows.end - 1)
            deadly = await deadly_rows(self._settings.pipeline, self._scorer.topic_id, partition, slots, records)
        elif len(records) <= SMALL_CHUNK and self._pipeline.encoding.events == "json":
            return self._scorer.run(records, partition, slots, now)  # faster than another thread would take it up
        # The model runs without Python's lock: meanwhile another thread reads or writes its part.
        parts = [records[first:first + PART_ROWS] for first in range(0, len(records), PART_ROWS)]
        return joined(await _all_of([asyncio.get_running_loop().run_in_executor(
            self._threads, self._scorer.run, part, partition, slots, now, deadly) for part in parts]))

    async def _swap(self, partition: ScoredPartition, slots: Slots) -> None:
        """Rows from here on belong to `slots`: true once the checkpoint that says so is delivered."""
        await partition.checkpoint(epoch=slots.epoch)
        log.info("model swapped", partition=partition.partition, offset=partition.covered, epoch=slots.epoch,
                 version=slots.champion.model.version, canary=slots.canary.model.version if slots.canary else None)

    async def _send(self, topic: Topic, partition: int, pairs: Sequence[Pair]) -> None:
        await self._delivery.send_pairs(topic_name(self._pipeline.name, topic), partition, pairs)

    def _delivered(self, done: asyncio.Task[None], rows: CountedRows) -> None:
        self._room.release()
        sent = rows.record_ts[rows.is_row]  # by the clocks of whoever sent them: the oldest may be any
        if len(sent) and not done.cancelled() and done.exception() is None:
            self.metrics.delay.observe(max(0.0, time.time() - int(sent.min()) / 1_000))

    def _count(self, chunk: ScoredChunk) -> None:
        self.metrics.scored.inc(len(chunk.predictions))
        for reason, letters in chunk.reasons.items():
            self.metrics.dead.labels(reason).inc(letters)

    # Checkpoints, swaps of idle partitions, idleness

    async def checkpoints(self) -> None:
        """Checkpoint each partition five times a second; at once on a revoke, or when a new model waits."""
        for turn in count():
            await asyncio.sleep(TURN_SECONDS)
            now, draining = time.monotonic(), self._app.consumer.draining
            try:
                # In turns: the predictions of all would wait if every partition sent its checkpoint at the same time.
                await asyncio.gather(*(self._tend(p, draining or (p.partition - turn) % TURNS == 0, now)
                                       for p in list(self._partitions.values())))
            except asyncio.CancelledError:
                raise
            except Exception as error:
                await die(self._app, error)
                raise

    async def _tend(self, partition: ScoredPartition, due: bool, now: float) -> None:
        slots = self.follower.current
        outdated = slots is not None and partition.epoch < slots.epoch
        if slots is not None and outdated and not partition.repeats and not partition.scoring.locked():
            async with partition.scoring:
                await self._swap(partition, slots)
        elif due:
            caught_up = self._app.consumer.caught_up(TP(self._events, partition.partition))
            if partition.waiting or partition.became_idle(now, self._pipeline.windows.idle_after, caught_up=caught_up):
                await partition.checkpoint()
            if self._partitions.get(partition.partition) is partition:  # not given away meanwhile
                self._show(partition)

    def _show(self, partition: ScoredPartition) -> None:
        """What a checkpoint covers now: nothing that was scored before it waits any more."""
        self.metrics.checkpoint.labels(partition.partition).set_to_current_time()
        self.metrics.epoch.labels(partition.partition).set(partition.epoch)
        self.metrics.late.labels(partition.partition).set(partition.windows.late_rows)
        if partition.windows.watermark is not None:
            self.metrics.watermark.labels(partition.partition).set(partition.windows.watermark / 1_000)

    # Assignments

    async def assigned(self) -> None:
        """Load the checkpoints of the partitions that are now ours; reading resumes at their covered offsets."""
        mine = sorted(tp.partition for tp in self._app.consumer.assignment() if tp.topic == self._events)
        standings = await read_standings(self._pipeline.name, mine, self._settings.kafka)
        self._partitions = {p: self._restore(p, standings[p]) for p in mine}
        for p, partition in self._partitions.items():
            # Without a checkpoint from 0 on: what retention has removed by now gets its dead letter, too.
            self._app.consumer.resume_at[TP(self._events, p)] = partition.covered if standings[p].state else 0
        # Says whose term it is, and how far rows were predicted: from now on the last prediction may be a repeated one.
        await asyncio.gather(*(self._partitions[p].checkpoint() for p in mine if standings[p].state))
        log.info("partitions assigned", covered={p: s.covered for p, s in self._partitions.items()})

    def _restore(self, partition: int, standing: Standing) -> ScoredPartition:
        return ScoredPartition.restore(partition, standing, self._windows, self._send, self._app.consumer.complete)

    def revoked(self) -> None:
        """Forget the partitions: their checkpoints are elsewhere's business now."""
        self._partitions = {}
        self.metrics.forget_partitions()

    async def expired(self, tp: TP, wanted: int, first: int) -> None:
        """Retention removed rows before they were scored: one dead letter names the range."""
        source = self._scorer.source(tp.partition, wanted)
        letter = DeadLetter(source=source, reason="expired", raw=None, record_ts=-1, last_offset=first - 1,
                            detail=f"retention removed offsets {wanted} to {first - 1} before they were scored")
        log.error("events expired before they were scored", partition=tp.partition, first=wanted, last=first - 1)
        await self._send(DEAD_LETTERS, 0, [(source.encode(), encode(letter))])
        self.metrics.dead.labels("expired").inc(first - wanted)

    def health(self) -> dict[str, object]:
        """Ready once there is a model; which partitions are covered how far."""
        slots = self.follower.current
        return {"ok": slots is not None, "epoch": slots.epoch if slots else None,
                "covered": {str(p): s.covered for p, s in dict(self._partitions).items()}}


async def _all_of(parts: Sequence[Awaitable[ScoredChunk]]) -> list[ScoredChunk]:
    """What every part gives; an error comes up when no part runs any more: the crash note is for all of them."""
    found: list[ScoredChunk] = []
    for ended in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
        found.append(ended)
    return found


def build(settings: ServiceSettings, pipeline: Pipeline) -> tuple[StreamApp, ScoreAgent]:
    """Wire the service: the only place where Kafka meets the scoring step."""
    codec = event_codec(pipeline, os.environ)
    expired: list[Callable[[TP, int, int], Any]] = []

    async def on_expired(tp: TP, wanted: int, first: int) -> None:
        await expired[0](tp, wanted, first)

    app = make_app(f"{pipeline.name}-score-{settings.instance}", WorkerSettings(
        kafka=settings.kafka, group=f"{pipeline.name}.score",
        instance_id=f"{pipeline.name}-score-{settings.instance}", session_timeout=6.0), on_expired)
    agent = ScoreAgent(pipeline, settings, app, Delivery(settings.kafka), codec)
    expired.append(agent.expired)
    app.agent(app.chunks(topic_name(pipeline.name, EVENTS)), name="score")(agent.score)

    @app.task
    async def follow(app: StreamApp) -> None:
        try:
            await agent.follower.run(lambda slots: log.info("models ready", epoch=slots.epoch))
        except Exception as error:
            await die(app, error)
            raise

    app.task(agent.checkpoints)
    watch_kafka(app, settings.kafka, pipeline.name, agent.metrics.reading)

    def on_revoked(*_: object, **__: object) -> None:
        agent.revoked()

    when_assigned(app, agent.assigned)
    app.on_partitions_revoked.connect(on_revoked, weak=False)
    return app, agent


@explained
def main() -> None:
    """Run the service of this process's environment."""
    settings = read_settings()
    pipeline, _ = in_force(load_pipeline(settings.pipeline), settings.kafka)
    configure_logs(service="score", pipeline=pipeline.name, instance=settings.instance)
    app, agent = build(settings, pipeline)
    serve_metrics(settings.metrics, agent.metrics, agent.health)
    run(app)


if __name__ == "__main__":
    main()
