"""Output to Kafka with one promise: `send` returns when Kafka has confirmed every record of that call.

A large call has a producer to itself until its last record is confirmed, so a failure can only belong to that call.
Several idempotent producers take turns: one batch is built while others are on their way. A handful of pairs goes
another way, see `prompt.py`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from kafka_access.access import KafkaAccess
from schemas.topics import MAX_RECORD_BYTES
from stream_apps.prompt import DeliveryError, PromptProducer

PRODUCERS = 4
BATCH_BYTES = 4_000_000  # under MAX_RECORD_BYTES, the largest batch that our topics take
LINGER_MS = 100  # until the call's flush: no part of a batch leaves while the rest is handed over
RECORD_BYTES = 64  # beside the value
FLUSH_SECONDS = 0.002  # librdkafka's flush wakes up for reports only, and what succeeds is not reported: look often
PURGE_SECONDS = 0.5
METADATA_SECONDS = 10.0
FEW_PAIRS, FEW_BYTES = 64, 64 << 10  # of a call that the event loop hands over itself
MARGIN_SECONDS = 5.0  # after librdkafka's own timeout for a record

Pair = tuple[bytes | None, bytes]
Enqueue = Callable[[Producer, list[str]], None]
"""Hands records to a producer, and notes what went wrong."""


class Record(NamedTuple):
    """One record to write; without a partition, murmur2 of the key chooses. `timestamp` is in milliseconds."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] | None = None
    timestamp: int | None = None


class Delivery:
    """Confirmed writes for several concurrent callers. Overlapping calls have no order between them."""

    def __init__(self, kafka: KafkaAccess, *, message_timeout: float = 120.0) -> None:
        """Connect in the background.

        Args:
            kafka: The cluster.
            message_timeout: Seconds until an unconfirmed record fails: longer than a broker outage to ride out.
        """
        config: dict[str, Any] = {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "linger.ms": LINGER_MS,
            # Pairs are sent batch after batch: librdkafka's idempotent producer spins while a second batch waits behind
            # the one in flight (seen: 4 µs a record, and ten times as long).
            "batch.size": BATCH_BYTES,
            "message.max.bytes": MAX_RECORD_BYTES,
            "message.timeout.ms": round(message_timeout * 1000),
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1 << 20,
            "delivery.report.only.error": True,
        }
        self._patience = message_timeout + MARGIN_SECONDS
        self._closing = False
        self._idle: asyncio.Queue[Producer] = asyncio.Queue()
        for _ in range(PRODUCERS):
            self._idle.put_nowait(Producer({**kafka.librdkafka(), **config}))
        self._threads = ThreadPoolExecutor(PRODUCERS, thread_name_prefix="delivery")
        self._prompt = PromptProducer(kafka, config, self._patience)

    async def send(self, records: Sequence[Record]) -> None:
        """Write `records` and return when all are confirmed.

        Raises:
            DeliveryError: At least one record was refused, timed out, or is unknown.
        """
        if records:
            await self._run(lambda producer, failures: _enqueue(producer, records, failures))

    async def send_pairs(self, topic: str, partition: int, pairs: Sequence[Pair]) -> None:
        """As `send`, for many (key, value) of one partition, which keep their order.

        Raises:
            DeliveryError: As `send`.
        """
        if not pairs:
            return
        few = len(pairs) <= FEW_PAIRS and sum([len(value) for _, value in pairs]) <= FEW_BYTES
        if few and await self._prompt.send(topic, partition, pairs):
            return
        for part in requests(pairs):
            await self._run(partial(_enqueue_pairs, topic=topic, partition=partition, pairs=part))

    async def _run(self, enqueue: Enqueue) -> None:
        if self._closing:
            raise DeliveryError("this delivery is closed")
        producer = await self._idle.get()
        job = asyncio.get_running_loop().run_in_executor(self._threads, self._deliver, producer, enqueue)
        # The producer stays taken until its thread is done, also when the caller is cancelled.
        job.add_done_callback(lambda _: self._idle.put_nowait(producer))
        await asyncio.shield(job)

    async def close(self, patience: float = 1.0) -> None:
        """Refuse new calls, wait `patience` seconds for those under way, fail the rest."""
        producers = []
        deadline = time.monotonic() + patience
        await self._prompt.close(patience)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                while len(producers) < PRODUCERS:
                    producers.append(await self._idle.get())
        except TimeoutError:
            pass  # _closing, below, makes the calls that hold the other producers fail
        self._closing = True
        for producer in producers:
            self._idle.put_nowait(producer)
        self._threads.shutdown(wait=False)

    def _deliver(self, producer: Producer, enqueue: Enqueue) -> None:
        failures: list[str] = []
        try:
            enqueue(producer, failures)
            left = self._flush(producer)
        except (KafkaException, BufferError) as error:
            failures.append(str(error))
            left = len(producer)
        if left:
            # Nothing of this call may turn up in the next one's account.
            producer.purge()
            producer.flush(PURGE_SECONDS)
        if left or failures:
            # What is left is counted by librdkafka, its own events with the records.
            raise DeliveryError(f"not confirmed: {left} in the queue, {len(failures)} failed; first: {failures[:1]}")

    def _flush(self, producer: Producer) -> int:
        deadline = time.monotonic() + self._patience
        while left := producer.flush(FLUSH_SECONDS):
            if self._closing or time.monotonic() > deadline:
                return left
        return 0


def requests(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    """Cut into equal parts, as many as it takes for each to fit into one batch."""
    size = sum([len(value) for _, value in pairs]) + RECORD_BYTES * len(pairs)
    rows = ceil(len(pairs) / (1 + size // BATCH_BYTES))
    for first in range(0, len(pairs), rows or 1):
        yield pairs[first : first + rows]


def _enqueue_pairs(producer: Producer, failures: list[str], *, topic: str, partition: int,
                   pairs: Sequence[Pair]) -> None:
    _enqueue_batch(producer, topic, partition, [{"key": key, "value": value} for key, value in pairs], failures)


def _enqueue(producer: Producer, records: Sequence[Record], failures: list[str]) -> None:
    """Group by topic and partition, in order: a call of `produce_batch` has one of each.

    It ignores a partition named in a message: the record would go elsewhere, and nobody would be told.
    """
    groups: dict[tuple[str, int | None], list[Record]] = {}
    for record in records:
        groups.setdefault((record.topic, record.partition), []).append(record)
    for (topic, partition), group in groups.items():
        if any(record.headers or record.timestamp is not None for record in group):
            _enqueue_singly(producer, group, failures)
        else:
            messages = [{"key": record.key, "value": record.value} for record in group]
            _enqueue_batch(producer, topic, partition, messages, failures)


def _enqueue_singly(producer: Producer, records: list[Record], failures: list[str]) -> None:
    """`produce_batch` drops headers without a word, and refuses timestamps."""
    for record in records:
        where: dict[str, Any] = {} if record.partition is None else {"partition": record.partition}
        stamp: dict[str, Any] = {} if record.timestamp is None else {"timestamp": record.timestamp}
        producer.produce(record.topic, record.value, record.key, on_delivery=_noting(failures),
                         headers=list(record.headers or ()), **where, **stamp)


def _enqueue_batch(
    producer: Producer, topic: str, partition: int | None, messages: list[dict[str, Any]], failures: list[str]
) -> None:
    where: dict[str, Any] = {} if partition is None else {"partition": partition}
    queued = producer.produce_batch(topic, messages, on_delivery=_noting(failures), **where)
    error = messages[0].get("_error")
    if error is not None and error.code() == KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001  # librdkafka's own name
        # The producer knows the topic from before it was given this partition: it learns of it by asking.
        producer.list_topics(topic, timeout=METADATA_SECONDS)
        messages = [{"key": message["key"], "value": message["value"]} for message in messages]
        queued = producer.produce_batch(topic, messages, on_delivery=_noting(failures), **where)
    if queued != len(messages):
        # Records that could not be queued get no delivery report.
        failures.extend(str(message["_error"]) for message in messages if "_error" in message)
        failures.append(f"{len(messages) - queued} records were not queued")


def _noting(failures: list[str]) -> Callable[[Any, Any], None]:
    def failed(error: Any, _message: Any) -> None:
        failures.append(str(error))

    return failed
