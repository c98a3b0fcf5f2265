"""The whole way of an event on a broker with TLS, passwords and permissions: each service as a user of its own."""

import asyncio
from contextlib import closing
from dataclasses import replace

import pytest

from automl_stream.topic_log import KafkaUnavailable, TopicLog, TopicLogError
from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import LabelledEvent
from schemas.topics import EVENTS, LABELLED, LABELS, MODEL_UPDATES, PREDICTIONS, Topic, topic_name
from stream_apps.delivery import Delivery, DeliveryError, Record
from tests.kafka_access.conftest import Loop
from tests.kafka_access.secured import SecuredBroker


@pytest.mark.timeout(1800)
def test_every_service_needs_no_more_than_its_own_permissions(loop: Loop) -> None:
    labels = {decode(r.value or b"", LabelledEvent).label for r in loop.live.records(LABELLED)}
    assert labels == {"yes", "no"}
    judged = loop.command("operator", "verify", "--pipeline", str(loop.live.file), DATABASE_URL=loop.database_url)
    assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.fixture
def name(loop: Loop) -> str:
    return loop.live.name


def test_who_gives_no_password_a_wrong_one_or_trusts_another_authority_is_refused(
        name: str, broker: SecuredBroker) -> None:
    right = broker.access("score")
    strangers = [KafkaAccess(servers=broker.address),
                 KafkaAccess(servers=broker.address, protocol="SSL", ca=right.ca),
                 replace(right, password="guessed"), replace(right, username="nobody"), replace(right, ca="")]
    topic = topic_name(name, PREDICTIONS)
    for stranger in strangers:
        with closing(TopicLog(stranger, answer_seconds=3)) as log, pytest.raises(KafkaUnavailable):
            log.bounds(topic)
    with closing(TopicLog(right)) as log:
        assert set(log.bounds(topic)) == {0, 1}


def test_plain_passwords_pass_where_the_connection_is_encrypted(name: str, broker: SecuredBroker) -> None:
    plainly = replace(broker.kafka, mechanism="PLAIN", username="plainly")
    with closing(TopicLog(plainly)) as log, pytest.raises(TopicLogError, match="authorization"):
        log.bounds(topic_name(name, PREDICTIONS))  # known, and nothing is allowed to this user


@pytest.mark.parametrize(("service", "topic"), [("score", LABELLED), ("producers", MODEL_UPDATES), ("monitor", EVENTS),
                                                ("labels", LABELS), ("predict", PREDICTIONS)])
def test_a_service_cannot_write_what_is_not_its_own(loop: Loop, broker: SecuredBroker, service: str,
                                                    topic: Topic) -> None:
    before = loop.live.count(topic)

    async def write() -> None:
        delivery = Delivery(broker.access(service), message_timeout=5)
        try:
            await delivery.send([Record(topic_name(loop.live.name, topic), 0, b"k", b"{}")])
        finally:
            await delivery.close()

    with pytest.raises(DeliveryError, match=r"[Aa]uthoriz"):
        asyncio.run(write())
    assert loop.live.count(topic) == before
