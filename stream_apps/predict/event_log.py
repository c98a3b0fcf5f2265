"""Appends to `events`: an append is over when the broker has confirmed every record of it."""

import asyncio
import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kafka_access.access import KafkaAccess
from schemas.topics import MAX_EVENT_BYTES

MAX_QUEUED = 20_000  # records that wait for the broker
POLL_SECONDS = 0.1
PROBE_SECONDS = 1.0
PIECE = 500  # records handed over at a time
_SETTINGS: dict[str, str | int | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",  # one partitioner everywhere: an entity keeps its partition whoever writes
    "linger.ms": 0,  # somebody waits
    "message.max.bytes": MAX_EVENT_BYTES,
    "queue.buffering.max.messages": 2 * MAX_QUEUED,
    "topic.metadata.refresh.interval.ms": 10_000,  # how soon partitions that a topic was given are written to
    "log_level": 2,  # what goes wrong is told to whoever asked
}

log = structlog.get_logger()


class NotConfirmed(Exception):
    """The broker did not confirm an event in time: it may be in `events` or not. Retriable, with the same event id."""


class Entry(NamedTuple):
    """A record to append; `timestamp` in epoch milliseconds."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp: int


class Place(NamedTuple):
    """Where a record stands."""

    partition: int
    offset: int


class EventLog:
    """Writes for an event loop; a thread of its own hears the broker. `away`: it does not answer."""

    def __init__(self, topic: str, kafka: KafkaAccess, patience: float) -> None:
        """Connect in the background; `patience`: seconds until an append is given up."""
        self._topic = topic
        self._patience = patience
        self._kafka = kafka
        self._producer = self._new_producer()
        self._broken = False
        self.away = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="event-log", daemon=True)
        self._thread.start()

    async def append(self, entries: Sequence[Entry]) -> list[Place]:
        """Write records, at least one; where each of them stands, once all are confirmed.

        Raises:
            NotConfirmed: when too many wait already, or one is not confirmed in time.
        """
        if len(self._producer) + len(entries) > MAX_QUEUED:
            raise NotConfirmed(f"{len(self._producer)} events wait for Kafka already")
        batch = _Batch(len(entries), asyncio.get_running_loop())
        try:
            for number, entry in enumerate(entries):
                if number % PIECE == PIECE - 1:
                    await asyncio.sleep(0)  # others are answered meanwhile
                self._producer.produce(self._topic, entry.value, entry.key, headers=list(entry.headers),
                                       timestamp=entry.timestamp, on_delivery=partial(batch.hear, number))
            async with asyncio.timeout(self._patience):
                return await batch.confirmed
        except TimeoutError as error:
            self.away = True
            raise NotConfirmed(f"Kafka did not confirm within {self._patience:g} s") from error
        except (KafkaException, BufferError) as error:
            self.away = True
            raise NotConfirmed(f"Kafka refused: {error}") from error

    def close(self) -> None:
        """Wait a moment for what is on its way."""
        self._producer.flush(self._patience)
        self._closed.set()
        self._thread.join()

    def _new_producer(self) -> Producer:
        return Producer({**self._kafka.librdkafka(), **_SETTINGS, "message.timeout.ms": round(self._patience * 1_000),
                         "error_cb": self._heard})

    def _listen(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(POLL_SECONDS)
            if self.away:
                self.away = not self._answers()
            if self._broken:
                broken, self._producer, self._broken = self._producer, self._new_producer(), False
                broken.purge()
                broken.flush(POLL_SECONDS)

    def _answers(self) -> bool:
        try:
            return self._producer.list_topics(self._topic, PROBE_SECONDS).topics[self._topic].error is None
        except KafkaException:
            return False

    def _heard(self, error: KafkaError) -> None:
        """What librdkafka says outside of any record; after a fatal error a producer writes nothing any more."""
        log.warning("Kafka producer", error=error.str(), fatal=error.fatal())
        self.away = self.away or error.code() == KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - librdkafka's own name
        self._broken = self._broken or error.fatal()


class _Batch:
    """The records of one append; heard from the producer's thread, one after the other."""

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        self.confirmed: asyncio.Future[list[Place]] = loop.create_future()
        self._loop = loop
        self._places: list[Place | None] = [None] * size
        self._left = size
        self._error: KafkaError | None = None

    def hear(self, number: int, error: KafkaError | None, message: Message) -> None:
        self._error = error if self._error is None else self._error
        self._places[number] = Place(message.partition() or 0, message.offset() or 0)
        self._left -= 1
        if not self._left:
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self.confirmed.done():
            return  # given up
        if self._error is not None:
            self.confirmed.set_exception(KafkaException(self._error))
        else:
            self.confirmed.set_result([place for place in self._places if place is not None])
