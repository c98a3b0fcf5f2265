"""Who asks while a leader is being found asks again; who asks for what cannot be is told at once."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from kafka_access.leaders import LEADERLESS, UNKNOWN, once_led


class Asked:
    """Fails so often with an error, and then answers."""

    def __init__(self, code: int, times: int) -> None:
        self.code, self.times, self.asked = code, times, 0

    def __call__(self) -> str:
        self.asked += 1
        if self.asked <= self.times:
            raise KafkaException(KafkaError(self.code))
        return "found"


@pytest.mark.parametrize("code", LEADERLESS)
def test_a_leader_that_is_being_found_is_asked_again(code: int) -> None:
    assert once_led(Asked(code, 2), 30) == "found"


@pytest.mark.parametrize("code", [*UNKNOWN, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_another_error_is_told_at_once(code: int) -> None:
    asked = Asked(code, 1)
    with pytest.raises(KafkaException):
        once_led(asked, 30)
    assert asked.asked == 1


def test_in_the_end_the_error_is_told() -> None:
    with pytest.raises(KafkaException):
        once_led(Asked(LEADERLESS[0], 100), 0)
