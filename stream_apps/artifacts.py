"""Artifacts from `model-artifacts`: read at the announced offset, verified before anybody parses them."""

import asyncio
import hashlib

from aiokafka import AIOKafkaConsumer, TopicPartition

from kafka_access.access import KafkaAccess
from schemas.messages import Artifact


class BadArtifact(Exception):
    """The announced bytes are missing or are not what was announced. Not retriable."""


class ArtifactReader:
    """Reads whole artifacts through a consumer without a group."""

    def __init__(self, topic: str, kafka: KafkaAccess) -> None:
        self._partition = TopicPartition(topic, 0)
        self._kafka = kafka
        self._lock = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def read(self, artifact: Artifact) -> bytes:
        """Bytes of an artifact.

        Raises:
            BadArtifact: when chunks are missing or the SHA-256 differs.
        """
        async with self._lock:
            data = await self._collect(await self._connected(), artifact)
        if hashlib.sha256(data).hexdigest() != artifact.digest:
            raise BadArtifact(f"artifact {artifact.digest[:12]}: the {len(data)} bytes at offset {artifact.offset} of "
                              f"{self._partition.topic} have another SHA-256; announce it again")
        return data

    async def stop(self) -> None:
        """Close the consumer."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        """The consumer, made inside the running event loop."""
        if self._consumer is None:
            consumer = AIOKafkaConsumer(**self._kafka.aiokafka(), enable_auto_commit=False,
                                        max_partition_fetch_bytes=1 << 20, fetch_max_wait_ms=100)
            await consumer.start()
            consumer.assign([self._partition])
            self._consumer = consumer
        return self._consumer

    async def _collect(self, consumer: AIOKafkaConsumer, artifact: Artifact) -> bytes:
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        consumer.seek(self._partition, artifact.offset)
        chunks: list[bytes] = []
        missing, position = artifact.size, artifact.offset
        prefix = f"{artifact.digest}/".encode()
        while missing > 0 and position < end:
            records = (await consumer.getmany(self._partition, timeout_ms=1_000)).get(self._partition, [])
            position = await consumer.position(self._partition)
            for record in records:
                if missing > 0 and record.key is not None and record.key.startswith(prefix) and record.value:
                    chunks.append(record.value)
                    missing -= len(record.value)
        if missing:
            raise BadArtifact(f"artifact {artifact.digest[:12]}: {missing} of {artifact.size} bytes are missing at "
                              f"offset {artifact.offset} of {self._partition.topic}; announce it again")
        return b"".join(chunks)
