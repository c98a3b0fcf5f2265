"""Events that keep coming, to all partitions that `events` has at the moment."""

import threading
from itertools import count
from typing import Self

from confluent_kafka import Producer

from automl_stream.topics import count_partitions
from kafka_access.access import KafkaAccess
from schemas.topics import EVENTS, topic_name
from tests.live import Live
from tests.tiny import event_bytes

START = 946_684_800_000
SPACING_MS = 100
BLOCK_ROWS = 20
PAUSE_SECONDS = 0.1


class Flow:
    """A thread that writes about 200 events a second, 100 ms of event time apart."""

    def __init__(self, live: Live, kafka: KafkaAccess) -> None:
        self._live = live
        self._topic = topic_name(live.name, EVENTS)
        self._producer = Producer({**kafka.librdkafka(), "enable.idempotence": True})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def ts(self) -> int:
        """Time of the next event."""
        return START + self.sent * SPACING_MS

    def end(self) -> None:
        """Write no more, and say so to every partition."""
        self.__exit__()
        assert self._producer.flush(30) == 0
        self._live.end_replay(self.ts)

    def _run(self) -> None:
        for block in count():
            partitions = count_partitions(self._producer, self._topic)
            for row in range(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS):
                value = event_bytes(f"e{row}", self.ts, a=(row % 13) / 4 - 1.5, b=row % 3, c="xyz"[row % 3])
                self._producer.produce(self._topic, value, b"k", row % partitions)
                self.sent += 1
            self._producer.poll(0)
            if self._stop.wait(PAUSE_SECONDS):
                return
