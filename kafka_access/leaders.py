"""Asking about partitions whose leader is not found yet.

A broker that has just started knows its topics before it leads them; after a change of leaders a client asks the old
one first.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

AnswerT = TypeVar("AnswerT")

LEADERLESS = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
              KafkaError._TRANSPORT, KafkaError._DESTROY_BROKER)  # noqa: SLF001 - librdkafka's own names
UNKNOWN = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)  # noqa: SLF001
"""The topic or partition is not there, or is so new that this broker has not heard of it."""

_PAUSE_SECONDS = 0.1


def once_led(ask: Callable[[], AnswerT], seconds: float, passing: tuple[int, ...] = LEADERLESS) -> AnswerT:
    """What `ask` gives, asked again for so long while it fails with one of the errors that are `passing`.

    Raises:
        KafkaException: another error, or one of these at the end.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in passing or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE_SECONDS)
