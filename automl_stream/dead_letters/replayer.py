"""The producer of a replay."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from automl_stream.dead_letters.errors import NotConfirmed
from automl_stream.dead_letters.letter import Letter, Source
from automl_stream.dead_letters.originals import REPLAYED_FROM
from kafka_access.access import KafkaAccess
from producers.outbox import producer_settings
from schemas.topics import MAX_RECORD_BYTES

_PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - librdkafka's names of its own errors


class Replayer:
    """Sends letters as the events they were: same bytes, same key, and a header that names the first dead letter.

    A replay bears the time of now, or of the letter where this machine's clock is behind the score worker's: so it is
    never older than the letter, and a search from the letter's time on finds it whatever the clocks say.
    """

    def __init__(self, topic: str, kafka: KafkaAccess, confirmed: Callable[[int], None]) -> None:
        """`confirmed` hears how many are, each time."""
        # Compressed, an event at the topic's limit leaves room for the header; every Kafka client can read gzip.
        self._producer = Producer(producer_settings({
            **kafka.librdkafka(), "compression.type": "gzip",
            "message.max.bytes": str(MAX_RECORD_BYTES)}))
        self._topic = topic
        self._servers = kafka.servers
        self._confirmed = confirmed
        self._sent = 0
        self._failures: list[str] = []
        self.too_large: list[Source] = []

    def send(self, letter: Letter, origin: Source) -> None:
        """Hand a letter over; waits while the queue is full.

        Raises:
            NotConfirmed: when an earlier one failed.
        """
        def delivered(error: KafkaError | None, _message: Message) -> None:
            self._note(error, letter.source)

        stamp = max(time.time_ns() // 1_000_000, letter.written)
        while True:
            try:
                self._producer.produce(self._topic, letter.content.raw, letter.content.raw_key, on_delivery=delivered,
                                       timestamp=stamp, headers=[(REPLAYED_FROM, str(origin).encode())])
                break
            except BufferError:
                self._serve(0.1)
            except KafkaException as error:
                self._note(error.args[0], letter.source)
                break
        self._serve(0)

    def finish(self) -> int:
        """Wait for Kafka's word on all; returns how many it confirmed.

        Raises:
            NotConfirmed: when one failed.
        """
        while self._producer.flush(0.5) and not self._failures:
            pass
        self._serve(0)
        return self._sent

    def _note(self, error: KafkaError | None, source: Source) -> None:
        if error is None:
            self._sent += 1
            self._confirmed(self._sent)
        elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            self.too_large.append(source)
        elif error.code() not in _PURGED:
            self._failures.append(f"{source}: {error.str()}")

    def _serve(self, seconds: float) -> None:
        self._producer.poll(seconds)
        if self._failures:
            self._producer.purge()
            self._producer.flush(5.0)
            raise NotConfirmed(f"Kafka at {self._servers} confirmed {self._sent} events and then failed "
                               f"({self._failures[0]}); see to the broker and run the same command again: what was "
                               "confirmed is not sent twice")
