"""Open-loop load: events leave on a fixed schedule, whatever becomes of them, and their predictions are timed.

Latency counts from the moment at which an event was *due*, not from when it was sent: a sender that is held up, by
the system under test or by itself, must not hide the wait (coordinated omission).
"""

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from numpy.typing import NDArray

from kafka_access.access import KafkaAccess

TICK = 0.001  # s; events of one tick are due together, so that the sender may sleep in between
LINGER_MS = 2
BEHIND = 1_000  # predictions taken at once when there are more
PERCENTILES = {"p50_ms": 500, "p99_ms": 990, "p999_ms": 999}  # of 1,000

class OpenLoopError(Exception):
    """The load could not be applied or was not answered: the run says nothing."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`rate` events a second for `seconds`."""

    rate: int
    seconds: float

    @property
    def count(self) -> int:
        """Events in all."""
        return round(self.rate * self.seconds)

    def due(self) -> NDArray[np.float64]:
        """When each event is due (count,), in seconds from the start."""
        return np.floor(np.arange(self.count) / self.rate / TICK + 1e-9) * TICK


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Seconds on the monotonic clock, an entry an event: `due`, `sent`, `arrived`; `values` where they were kept."""

    due: NDArray[np.float64]
    sent: NDArray[np.float64]
    arrived: NDArray[np.float64]
    values: dict[int, bytes] = field(default_factory=dict)

    def latencies(self, warm_up: float = 0.0) -> NDArray[np.float64]:
        """Milliseconds from due to arrived, without the events of the first `warm_up` seconds."""
        counted = self.due >= self.due[0] + warm_up
        return (self.arrived - self.due)[counted] * 1_000

    def sender_lag(self) -> float:
        """Longest delay of a send in milliseconds: how far the driver itself fell behind."""
        return float((self.sent - self.due).max() * 1_000)


def percentiles(latencies: NDArray[np.float64]) -> dict[str, float]:
    """p50, p99 and p99.9 by nearest rank: each is a latency that some event had."""
    ordered = np.sort(latencies)
    return {name: float(ordered[-(-len(ordered) * share // 1_000) - 1]) for name, share in PERCENTILES.items()}


class OpenLoop:
    """Producer and consumer around one worker under test."""

    def __init__(self, kafka: KafkaAccess, events: str, predictions: str) -> None:
        """`events` and `predictions` are names of topics. Reads from the end of `predictions`."""
        self._events = events
        self._failures: list[str] = []
        self._producer = Producer({**kafka.librdkafka(), "linger.ms": LINGER_MS,
                                   "partitioner": "murmur2_random", "queue.buffering.max.messages": 1_000_000})
        self._consumer = Consumer({**kafka.librdkafka(), "group.id": "open-loop",
                                   "enable.auto.commit": False, "fetch.wait.max.ms": 100,
                                   "auto.offset.reset": "error"})
        partitions = self._consumer.list_topics(predictions, timeout=30).topics[predictions].partitions
        ends = [TopicPartition(predictions, p, OFFSET_END) for p in partitions]
        for end in ends:
            end.offset = self._consumer.get_watermark_offsets(end, timeout=30)[1]
        self._consumer.assign(ends)

    def run(self, schedule: Schedule, events: Sequence[bytes], *, patience: float = 30.0,
            keep: bool = False) -> Answers:
        """Send `events`, one after the other, and time their predictions; with `keep`, hold their bytes too.

        The key of an event is its number as text, which comes back as the key of its prediction.

        Raises:
            OpenLoopError: when some event could not be sent, or has no answer `patience` seconds after the last one.
        """
        start = time.monotonic() + 0.1
        due = start + schedule.due()
        answers = Answers(due=due, sent=np.full(len(due), np.nan), arrived=np.full(len(due), np.nan))
        sender = threading.Thread(target=self._send, args=(due, answers.sent, events), daemon=True)
        with no_collection():
            sender.start()
            self._receive(answers, due[-1] + patience, keep=keep)
            sender.join()
            left = self._producer.flush(patience)
        if left or self._failures:
            raise OpenLoopError(f"{left + len(self._failures)} events could not be sent; first: {self._failures[:1]}")
        return answers

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _send(self, due: NDArray[np.float64], sent: NDArray[np.float64], events: Sequence[bytes]) -> None:
        def confirmed(error: object, _message: object) -> None:
            if error is not None:
                self._failures.append(str(error))

        number, moments = 0, due.tolist()
        while number < len(moments):
            time.sleep(max(0.0, moments[number] - time.monotonic()))
            now = time.monotonic()
            while number < len(moments) and moments[number] <= now:
                self._producer.produce(self._events, events[number], b"%d" % number, on_delivery=confirmed)
                sent[number] = now
                number += 1
            self._producer.poll(0)

    def _receive(self, answers: Answers, deadline: float, *, keep: bool) -> None:
        missing = len(answers.due)
        while missing:
            first = self._consumer.poll(0.1)
            if first is None:
                if time.monotonic() > deadline:
                    raise OpenLoopError(f"{missing} of {len(answers.due)} events have no prediction")
                continue
            now = time.monotonic()
            for message in (first, *self._consumer.consume(BEHIND, 0)):
                if message.error():
                    raise OpenLoopError(str(message.error()))
                number = int(message.key() or b"")
                if np.isnan(answers.arrived[number]):
                    answers.arrived[number] = now
                    missing -= 1
                    if keep:
                        answers.values[number] = message.value() or b""


@contextmanager
def no_collection() -> Iterator[None]:
    """Without the garbage collector, whose pauses would be measured as latency."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
