"""Fetching: librdkafka's threads read what the group has assigned; each read gives whole runs of rows.

Not Faust's aiokafka, which asks a broker again only after its last answer was taken: 10 ms and more an event.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from faust.types import TP

from kafka_access.access import KafkaAccess
from stream_apps.transport.chunk import Row

READ_ROWS = 4000
POLL_SECONDS = 0.1  # how long a read waits for a first row: a revoke waits for the read
GATHER_SECONDS = 0.005  # what comes so soon after the first row is read with it: small chunks cost the most a row
FETCHES_AHEAD = 8
# librdkafka says these while it connects again by itself, as often as it takes.
AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}  # noqa: SLF001

log = structlog.get_logger()


class Fetched(msgspec.Struct, kw_only=True):
    """One read: rows in offset order; partitions at whose end it stopped, and the offset there, behind any transaction
    marker; and those at whose offset there is nothing."""

    rows: dict[TP, list[Row]] = {}
    ended: dict[TP, int] = {}
    astray: set[TP] = set()


class RowReader:
    """Rows of the assigned partitions, each assignment from explicit offsets on. Only committed rows are read."""

    def __init__(self, kafka: KafkaAccess, *, group: str, fetch_bytes: int) -> None:
        """Nothing is read before `assign`; `group` is for Kafka's logs: nothing is committed here."""
        self._kafka = kafka
        self._settings: dict[str, Any] = {
            "group.id": group, "enable.auto.commit": False,
            "enable.auto.offset.store": False, "isolation.level": "read_committed", "auto.offset.reset": "error",
            "enable.partition.eof": True, "max.partition.fetch.bytes": fetch_bytes, "check.crcs": False,
            "queued.max.messages.kbytes": max(1, FETCHES_AHEAD * fetch_bytes >> 10),
            "fetch.queue.backoff.ms": 5,  # stock goes on a second after so many were ahead
        }
        self._consumer: Consumer | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fetch")  # one call at a time

    async def assign(self, offsets: Mapping[TP, int]) -> None:
        """Read these partitions, and no others, from these offsets on."""
        await self._call(self._assign, dict(offsets))

    async def move(self, offsets: Mapping[TP, int]) -> None:
        """Go on elsewhere in some of the assigned partitions."""
        await self._call(self._move, dict(offsets))

    async def read(self) -> Fetched:
        """What has come; nothing when nothing comes for `POLL_SECONDS`.

        Raises:
            KafkaException: when Kafka refuses: a topic is gone, or may not be read.
        """
        return await self._call(self._read)

    async def close(self) -> None:
        """Disconnect."""
        await self._call(self._close)
        self._thread.shutdown(wait=False)

    async def _call(self, method: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, method, *arguments)

    def _assign(self, offsets: dict[TP, int]) -> None:
        if self._consumer is None and offsets:
            self._consumer = Consumer({**self._kafka.librdkafka(), **self._settings})
        if self._consumer is not None:
            self._consumer.assign(_positions(offsets))

    def _move(self, offsets: dict[TP, int]) -> None:
        if self._consumer is not None:
            self._consumer.incremental_unassign(_positions(offsets))
            self._consumer.incremental_assign(_positions(offsets))

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _read(self) -> Fetched:
        if self._consumer is None:
            time.sleep(POLL_SECONDS)
            return Fetched()
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return Fetched()
        time.sleep(GATHER_SECONDS)
        return _sorted([first, *self._consumer.consume(READ_ROWS - 1, 0)])


def _positions(offsets: Mapping[TP, int]) -> list[TopicPartition]:
    return [TopicPartition(tp.topic, tp.partition, offset) for tp, offset in offsets.items()]


def _sorted(messages: list[Any]) -> Fetched:
    """Rows and news by partition. `messages` are confluent_kafka's, whose types do not say what must be there."""
    rows: dict[tuple[str, int], list[Row]] = {}
    ended: dict[tuple[str, int], int] = {}
    astray: set[TP] = set()
    here, run = None, []
    for message in messages:
        place = message.topic(), message.partition()
        error = message.error()
        if error is None:
            row = Row(message.offset(), message.timestamp()[1], message.key(), message.value(),
                      message.headers() or ())
            if place != here:  # neighbours mostly share it
                here, run = place, rows.setdefault(place, [])
            run.append(row)
            if ended:
                ended.pop(place, None)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # librdkafka's own names
            ended[place] = message.offset()
        elif error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001
            astray.add(TP(*place))
        elif error.code() in AWAY or error.retriable():
            log.warning("Kafka is away", error=error.str())
        else:
            raise KafkaException(error)
    return Fetched(rows={TP(*place): found for place, found in rows.items()},
                   ended={TP(*place): offset for place, offset in ended.items()}, astray=astray)
