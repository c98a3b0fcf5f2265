"""A handful of records, confirmed soon: the event loop itself hands them over, one thread hears of their fate.

For thousands of records a change of threads costs nothing; for a handful, all of the time and most of the work.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, Producer

from kafka_access.access import KafkaAccess

LINGER_MS = 0.2  # a call is one batch: librdkafka's idempotent producer spins while a second waits behind the first
REPORT_SECONDS = 0.1  # how long the thread waits for a report: as often it looks whether this is closed


class DeliveryError(Exception):
    """Records were not confirmed: some may be in Kafka. Not retriable here: end the process and read again."""


class PromptProducer:
    """An idempotent producer that several calls share: each hears of its own records. One event loop may use it."""

    def __init__(self, kafka: KafkaAccess, config: Mapping[str, Any], patience: float) -> None:
        """`config` is librdkafka's, beside the access; a call fails after `patience` seconds at the latest."""
        self._producer = Producer({**kafka.librdkafka(), **config, "linger.ms": LINGER_MS,
                                   "delivery.report.only.error": False})
        self._patience = patience
        self._calls: set[_Call] = set()
        self._closing = self._purged = False
        self._thread = threading.Thread(target=self._hear, name="prompt", daemon=True)

    async def send(self, topic: str, partition: int, pairs: Sequence[tuple[bytes | None, bytes]]) -> bool:
        """Write (key, value) pairs; returns when all are confirmed. False: nothing was written, as this producer does
        not know the partition yet.

        Raises:
            DeliveryError: some pair was refused, timed out, or is unknown.
        """
        if self._closing:
            raise DeliveryError("this delivery is closed")
        call = _Call(len(pairs))
        messages = [{"key": key, "value": value} for key, value in pairs]
        queued = self._producer.produce_batch(topic, messages, partition=partition, on_delivery=call.report)
        if queued < len(messages):
            errors: list[Any] = [message["_error"] for message in messages if "_error" in message]
            if not queued and errors[0].code() == KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001  # librdkafka's name
                return False
            raise DeliveryError(f"{len(messages) - queued} records were not queued; first: {errors[:1]}")
        if not self._thread.is_alive():
            self._thread.start()
        self._calls.add(call)
        try:
            async with asyncio.timeout(self._patience):
                await call.ended
        except TimeoutError:
            raise DeliveryError(f"{call.left} records unconfirmed after {self._patience:g} s") from None
        finally:
            self._calls.discard(call)
        if call.failures:
            raise DeliveryError(f"{len(call.failures)} records failed; first: {call.failures[:1]}")
        return True

    async def close(self, patience: float) -> None:
        """Refuse new calls, wait `patience` seconds for those under way, fail the rest."""
        self._closing = True
        if self._calls:
            await asyncio.wait([call.ended for call in self._calls], timeout=patience)
        self._producer.purge()
        self._purged = True

    def _hear(self) -> None:
        while not self._purged or len(self._producer):
            self._producer.poll(REPORT_SECONDS)


class _Call:
    """What is still unknown of one call's records."""

    def __init__(self, records: int) -> None:
        self.left = records
        self.failures: list[str] = []
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def report(self, error: KafkaError | None, _message: object) -> None:
        """One record's fate; only the thread that polls says it."""
        if error is not None:
            self.failures.append(str(error))
        self.left -= 1
        if not self.left and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if not self.ended.done():  # its caller may have gone
            self.ended.set_result(None)
