"""Worker settings, credentials, and the ways out of the process."""

import ssl
import subprocess
import sys
from dataclasses import replace

import faust

from kafka_access.access import KafkaAccess
from stream_apps.transport.driver import HARD_EXIT_CODE
from stream_apps.worker import WorkerSettings, kafka_credentials, make_app


def test_the_settings_that_the_transport_was_proved_with_reach_faust() -> None:
    app = make_app("score", WorkerSettings(kafka=KafkaAccess(servers="one:9092, two:9093"), group="g",
                                           instance_id="score-0"))
    conf = app.conf
    assert [str(url) for url in conf.broker] == ["kafka://one:9092", "kafka://two:9093"]
    assert (conf.id, conf.broker_client_id, conf.consumer_group_instance_id) == ("g", "score", "score-0")
    assert (conf.topic_allow_declare, conf.topic_disable_leader, conf.web_enabled) == (False, True, False)
    assert (conf.consumer_auto_offset_reset, str(conf.store)) == ("none", "memory:")
    assert (conf.broker_commit_interval, conf.stream_buffer_maxsize, conf.stream_wait_empty) == (0.5, 4, True)


def test_plaintext_needs_no_credentials() -> None:
    assert kafka_credentials(KafkaAccess(servers="one:9092")) is None


def test_users_and_certificates_become_faust_credentials() -> None:
    login = KafkaAccess(servers="one:9092", protocol="SASL_SSL", mechanism="SCRAM-SHA-512", username="u", password="p")
    sasl = kafka_credentials(login)
    assert isinstance(sasl, faust.SASLCredentials)
    assert (sasl.protocol.value, sasl.mechanism.value, sasl.username) == ("SASL_SSL", "SCRAM-SHA-512", "u")
    plain = kafka_credentials(replace(login, protocol="SASL_PLAINTEXT"))
    assert plain is not None
    assert plain.protocol.value == "SASL_PLAINTEXT"
    tls = kafka_credentials(KafkaAccess(servers="one:9092", protocol="SSL"))
    assert isinstance(tls, faust.SSLCredentials)
    assert tls.context.verify_mode is ssl.CERT_REQUIRED



def test_a_process_that_hangs_on_its_way_out_is_ended_hard() -> None:
    code = (
        "import threading; from stream_apps.transport.driver import exit_hard_after;"
        "exit_hard_after(0.1); threading.Event().wait()"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == HARD_EXIT_CODE
