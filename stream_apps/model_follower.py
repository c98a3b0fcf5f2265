"""Follows `model-updates` on a consumer without a group, and keeps the newest models whose bytes verify."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from kafka_access.access import KafkaAccess
from schemas.model_log import Accepted, ModelLog, Serving
from schemas.pipeline import Pipeline
from schemas.topics import MODEL_ARTIFACTS, MODEL_UPDATES, topic_name
from stream_apps.artifacts import ArtifactReader, BadArtifact
from stream_apps.metrics.serving import ServingMetrics
from stream_apps.model_slot import LoadedModel, Slots, UnusableModel, load_model

EPOCH_SECONDS = 60.0  # how long the log may take to bring an announcement that a checkpoint names

log = structlog.get_logger()


class ModelFollower:
    """`current` are the models to score with, once there are some."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, metrics: ServingMetrics) -> None:
        self._pipeline = pipeline
        self._metrics = metrics
        self._partition = TopicPartition(topic_name(pipeline.name, MODEL_UPDATES), 0)
        self._kafka = kafka
        self._artifacts = ArtifactReader(topic_name(pipeline.name, MODEL_ARTIFACTS), kafka)
        self._log = ModelLog()
        self._loaded: dict[int, LoadedModel] = {}
        self._news = asyncio.Condition()
        self.current: Slots | None = None

    async def serving(self) -> Slots:
        """The newest models; waits for the first."""
        async with self._news:
            await self._news.wait_for(lambda: self.current is not None)
        return self.current  # pyright: ignore[reportReturnType]  # it never becomes None again

    async def at(self, epoch: int) -> Slots:
        """The models that served after the announcement `epoch`, which may be older than the newest.

        Where their bytes are gone, the newest take over.
        """
        newest = await self.serving()
        try:
            async with asyncio.timeout(EPOCH_SECONDS), self._news:
                await self._news.wait_for(lambda: self._log.latest >= epoch)
        except TimeoutError:
            log.error("model-updates does not have the announcement of a checkpoint: was it recreated?", epoch=epoch)
        serving = self._log.serving(epoch)
        if newest.epoch == epoch or serving is None:
            return newest
        try:
            return await self._slots(serving)
        except (BadArtifact, UnusableModel) as error:
            log.error("the models of a checkpoint are gone; the newest take over", epoch=epoch, reason=str(error))
            return newest

    async def run(self, on_swap: Callable[[Slots], None]) -> None:
        """Fold the log for ever; `on_swap` hears of the models that may now serve."""
        consumer = AIOKafkaConsumer(**self._kafka.aiokafka(), enable_auto_commit=False, fetch_max_wait_ms=100)
        await consumer.start()
        try:
            end = (await consumer.end_offsets([self._partition]))[self._partition]
            consumer.assign([self._partition])
            consumer.seek(self._partition, 0)  # the log is never shortened
            if end == 0:
                log.info("no model yet: events wait in Kafka until `automl-stream bootstrap` announces one",
                         topic=self._partition.topic)
            while True:
                fresh = await self._fold(consumer)
                # A starting worker reads the whole log first: only the newest usable announcement matters.
                if fresh and await consumer.position(self._partition) >= end:
                    await self._take_newest(on_swap)
        finally:
            await consumer.stop()
            await self._artifacts.stop()

    async def _fold(self, consumer: AIOKafkaConsumer) -> bool:
        batches = await consumer.getmany(self._partition, timeout_ms=1_000)
        records = batches.get(self._partition, [])
        for record in records:
            accepted = self._log.read(record.offset, record.value)
            log.info("announcement accepted" if accepted else "announcement unreadable, or lost to an earlier one",
                     epoch=record.offset)
        return bool(records)

    async def _take_newest(self, on_swap: Callable[[Slots], None]) -> None:
        for epoch in self._log.epochs():
            serving = self._log.serving(epoch)
            if serving is None or (self.current is not None and epoch <= self.current.epoch):
                break
            try:
                slots = await self._slots(serving)
            except (BadArtifact, UnusableModel) as error:
                self._metrics.refused.inc()
                log.error("announced model refused; what served before it serves on", epoch=epoch, reason=str(error))
                continue
            self._metrics.show(serving)
            await self._take(slots)
            on_swap(slots)
            break
        async with self._news:
            self._news.notify_all()  # also of what was refused: somebody may wait for the log to reach an epoch

    async def _take(self, slots: Slots) -> None:
        self.current = slots
        kept = {slots.champion.model.epoch, slots.canary.model.epoch if slots.canary else None}
        self._loaded = {epoch: model for epoch, model in self._loaded.items() if epoch in kept}

    async def _slots(self, serving: Serving) -> Slots:
        canary = serving.canary
        return Slots(
            epoch=serving.epoch, champion=await self._load(serving.champion),
            canary=await self._load(canary) if canary else None, share=canary.announcement.share if canary else 0.0)

    async def _load(self, accepted: Accepted) -> LoadedModel:
        if accepted.epoch not in self._loaded:
            model = await self._artifacts.read(accepted.announcement.model)
            profile = await self._artifacts.read(accepted.announcement.profile)
            announced = accepted.announcement.predictions
            predictions = None if announced is None else await self._artifacts.read(announced)
            # Building the session takes long: off the event loop, so that scoring does not pause.
            self._loaded[accepted.epoch] = await asyncio.get_running_loop().run_in_executor(
                None, load_model, accepted, model, profile, self._pipeline, predictions)
        return self._loaded[accepted.epoch]
