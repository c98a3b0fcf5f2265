"""Events at a steady rate, and where Kafka confirmed each of them."""

import threading
import time
from array import array
from typing import Any

import msgspec
from confluent_kafka import Producer

from kafka_access.access import KafkaAccess
from tests.tiny import LATENESS

START = 946_684_800_000
SPACING_MS = 25
PATIENCE_SECONDS = 600.0  # longer than any outage of a run: an event that was not confirmed is a failed run
PAUSE_SECONDS = 0.01
FLUSH_SECONDS = 0.2
MOST_AT_ONCE = 1_000  # events, after a pause
NOWHERE = -1
_PARTITION_BITS = 8


def event(seed: int, k: int) -> bytes | None:
    """Value of event `k`: its id is k; about 1 % cannot be read, one in seven misses a value, all are in time.

    Times are out of order by less than the lateness.
    """
    noise = mix(seed, k)
    if k % 97 == 5:
        return (b'{"event_id": "%d"' % k, b'{"v": 1, "event_id": "%d", "ts": "soon"}' % k, None)[noise % 3]
    ts = START + k * SPACING_MS - noise % LATENESS
    features = {"a": (noise >> 4) % 1_000 / 250 - 2, "b": None if k % 7 == 0 else (noise >> 16) % 5,
                "c": "xyz"[(noise >> 8) % 3]}
    return msgspec.json.encode({"v": 1, "event_id": str(k), "ts": ts, "entity": str(k), "features": features})


def mix(seed: int, k: int) -> int:
    """32 bits that look random: the same for the same arguments."""
    value = (k + 1) * 0x9E3779B1 + seed * 0x85EBCA77 & 0xFFFFFFFF
    value = (value ^ value >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
    value = (value ^ value >> 12) * 0x297A2D39 & 0xFFFFFFFF
    return value ^ value >> 15


class Flow:
    """Writes events 0, 1, 2... to a topic from a thread of its own, idempotently, until it is stopped."""

    def __init__(self, kafka: KafkaAccess, topic: str, partitions: int, seed: int) -> None:
        """Connect in the background."""
        self._topic, self._partitions, self._seed = topic, partitions, seed
        self._producer = Producer({
            **kafka.librdkafka(), "enable.idempotence": True, "linger.ms": 5,
            "message.timeout.ms": round(PATIENCE_SECONDS * 1_000), "queue.buffering.max.messages": 1_000_000,
            "log_level": 2})
        self._ended = threading.Event()
        self._places = array("q")
        self._failures: list[str] = []
        self._thread: threading.Thread | None = None

    @property
    def sent(self) -> int:
        """Events so far, confirmed or not."""
        return len(self._places)

    def start(self, rate: int) -> None:
        """Send `rate` events a second from now on."""
        self._thread = threading.Thread(target=self._run, args=(rate,), name="flow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait until Kafka has confirmed every event.

        Raises:
            AssertionError: when one was refused: nothing can then be said about what must be there.
        """
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        left = self._producer.flush(PATIENCE_SECONDS)
        assert not left, f"{left} events were not confirmed within {PATIENCE_SECONDS} s"
        assert not self._failures, f"{len(self._failures)} events were refused: {self._failures[:3]}"

    def close(self) -> None:
        """End the thread, whatever is still on its way."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._producer.purge()
        self._producer.close()

    def acknowledged(self, partition: int) -> dict[int, int]:
        """Event by offset of a partition."""
        return {place >> _PARTITION_BITS: k for k, place in enumerate(self._places)
                if place != NOWHERE and place & (1 << _PARTITION_BITS) - 1 == partition}

    def _run(self, rate: int) -> None:
        started, first = time.monotonic(), self.sent
        while not self._ended.wait(PAUSE_SECONDS):
            due = first + int((time.monotonic() - started) * rate)
            for _ in range(min(due - self.sent, MOST_AT_ONCE)):
                self._send(self.sent)
            # An idempotent producer spins while a second batch waits behind the one in flight: for minutes where a
            # leader is slow or gone, on a core that the brokers need to come back.
            while self._producer.flush(FLUSH_SECONDS) and not self._ended.is_set():
                pass

    def _send(self, k: int) -> None:
        def confirmed(error: Any, message: Any) -> None:
            if error is not None:
                self._failures.append(str(error))
            else:
                self._places[k] = message.offset() << _PARTITION_BITS | message.partition()

        self._places.append(NOWHERE)
        while True:
            try:
                self._producer.produce(self._topic, event(self._seed, k), str(k).encode(),
                                       mix(k, self._seed) % self._partitions, on_delivery=confirmed)
            except BufferError:
                self._producer.poll(PAUSE_SECONDS)
            else:
                return
