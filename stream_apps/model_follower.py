"""Follows `model-updates` on a consumer without a group and keeps the newest model whose bytes verify."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.model_log import Accepted, ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import MODEL_ARTIFACTS, MODEL_UPDATES, topic_name
from stream_apps.artifacts import ArtifactReader, BadArtifact
from stream_apps.model_slot import LoadedModel, UnusableModel, load_model

log = structlog.get_logger()


class ModelFollower:
    """`current` is the model to score with, once there is one."""

    def __init__(self, pipeline: Pipeline, bootstrap_servers: str, security: dict[str, Any] | None = None) -> None:
        self._pipeline = pipeline
        self._partition = TopicPartition(topic_name(pipeline.name, MODEL_UPDATES), 0)
        self._options: dict[str, Any] = {"bootstrap_servers": bootstrap_servers, **(security or {})}
        self._artifacts = ArtifactReader(topic_name(pipeline.name, MODEL_ARTIFACTS), bootstrap_servers, security)
        self._log = ModelLog()
        self.current: LoadedModel | None = None
        self._ready = asyncio.Event()

    async def serving(self) -> LoadedModel:
        """The model to score with; waits for the first one."""
        while self.current is None:
            await self._ready.wait()
        return self.current

    async def run(self, on_swap: Callable[[LoadedModel], None]) -> None:
        """Fold the log for ever; `on_swap` hears of each model that may now serve."""
        consumer = AIOKafkaConsumer(enable_auto_commit=False, fetch_max_wait_ms=100, **self._options)
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

    async def _take_newest(self, on_swap: Callable[[LoadedModel], None]) -> None:
        for accepted in reversed(self._log.accepted):
            if self.current is not None and accepted.epoch <= self.current.model.epoch:
                return
            try:
                self.current = await self._load(accepted)
            except (BadArtifact, UnusableModel) as error:
                log.error("announced model refused; the one before it serves on", epoch=accepted.epoch,
                          version=accepted.announcement.version, reason=str(error))
                continue
            self._ready.set()
            on_swap(self.current)
            return

    async def _load(self, accepted: Accepted) -> LoadedModel:
        model = await self._artifacts.read(accepted.announcement.model)
        profile = await self._artifacts.read(accepted.announcement.profile)
        # Building the session takes long: off the event loop, so that scoring does not pause.
        return await asyncio.get_running_loop().run_in_executor(
            None, load_model, accepted, model, profile, self._pipeline)
