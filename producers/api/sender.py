"""One idempotent producer for all requests: a record is confirmed by every replica, or it is not known to be there.

Everything happens on the event loop: librdkafka's confirmations are taken in every millisecond while some are due.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import partial

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from doors.problem import refusal
from kafka_access.access import KafkaAccess
from producers.api.readers import Record
from producers.outbox import Headers, producer_settings

CONFIRMED_SECONDS = 10  # within which a record is confirmed, or its request answered with 503
QUEUE_RECORDS = 50_000
QUEUE_KILOBYTES = 64 << 10
AT_ONCE = 500  # records that are handed over before others get their turn
POLL_SECONDS, IDLE_SECONDS = 0.001, 0.1
PROBE_SECONDS = 1.0
RETRY_SECONDS = 1

log = structlog.get_logger()


class Call:
    """The records of one request: what became of each, empty where it is confirmed."""

    def __init__(self, count: int) -> None:
        self.failures = [""] * count
        self._due = count
        self._done = asyncio.get_running_loop().create_future()

    def settle(self, index: int, failure: str) -> None:
        """One of them is confirmed, or is not."""
        self.failures[index] = failure
        self._due -= 1
        if not self._due and not self._done.done():
            self._done.set_result(None)

    async def settled(self) -> list[str]:
        """What became of each, once it is known of all."""
        await self._done
        return self.failures


class Sender:
    """Sends records to the topics of one pipeline. `trouble` says why nothing can be sent now; empty when it can."""

    def __init__(self, kafka: KafkaAccess, topics: Sequence[str]) -> None:
        self._producer = Producer({**producer_settings({
            **kafka.librdkafka(), "linger.ms": "1", "delivery.timeout.ms": str(CONFIRMED_SECONDS * 1_000),
            "queue.buffering.max.messages": str(QUEUE_RECORDS),
            "queue.buffering.max.kbytes": str(QUEUE_KILOBYTES)}), "error_cb": self._failed})
        self._servers = kafka.servers
        self._topics = topics
        self._due = asyncio.Event()
        self.trouble = "Kafka was not asked yet"

    async def send(self, topic: str, records: Sequence[Record], headers: Headers) -> list[str]:
        """What became of each record: empty where every replica has it, else why that is not known.

        Raises:
            Refused: 503 while no broker answers, 429 when too many records wait for theirs; nothing was sent.
        """
        if not records:
            return []
        if self.trouble:
            raise refusal(503, self.trouble, "Kafka", "send the same request again later", retry_after=RETRY_SECONDS)
        if len(self._producer) + len(records) > QUEUE_RECORDS:
            raise refusal(429, f"{QUEUE_RECORDS} records wait for Kafka", "this door", "send more slowly",
                          retry_after=RETRY_SECONDS)
        call = Call(len(records))
        self._due.set()
        for index, record in enumerate(records):
            if index % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            try:
                self._producer.produce(topic, record.value, record.key, headers=headers,
                                       on_delivery=partial(self._reported, call, index))
            except (BufferError, KafkaException) as error:
                call.settle(index, str(error))
        return await call.settled()

    async def follow(self) -> None:
        """Take in what Kafka confirms, for as long as this task runs."""
        while True:
            self._producer.poll(0)
            if len(self._producer):
                await asyncio.sleep(POLL_SECONDS)
                continue
            self._due.clear()
            try:
                await asyncio.wait_for(self._due.wait(), IDLE_SECONDS)
            except TimeoutError:
                continue

    async def probe(self) -> None:
        """Ask for the topics while there is trouble, for as long as this task runs."""
        while True:
            if self.trouble:
                found = await asyncio.to_thread(self._ask)
                if found != self.trouble:
                    log.warning("kafka", trouble=found or "none")
                self.trouble = found
            await asyncio.sleep(PROBE_SECONDS)

    def _ask(self) -> str:
        for topic in self._topics:
            try:
                found = self._producer.list_topics(topic, timeout=PROBE_SECONDS * 2).topics[topic]
            except KafkaException as error:
                return f"no broker answers at {self._servers} ({error.args[0].str()})"
            if found.error is not None:
                return f"topic {topic} cannot be written at {self._servers} ({found.error.str()})"
        return ""

    def _failed(self, error: KafkaError) -> None:
        if error.fatal():
            log.critical("the producer is lost; the service ends to begin anew", error=error.str())
            os.kill(os.getpid(), signal.SIGTERM)
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - librdkafka's names of its own errors
            self.trouble = f"no broker answers at {self._servers}"

    def _reported(self, call: Call, index: int, error: KafkaError | None, _message: Message) -> None:
        if error is not None and error.code() == KafkaError._MSG_TIMED_OUT:  # noqa: SLF001 - as in _failed
            self.trouble = f"no broker confirms at {self._servers}"  # until it answers: one that hangs closes nothing
        call.settle(index, "" if error is None else error.str())
