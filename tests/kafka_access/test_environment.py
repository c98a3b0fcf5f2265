"""Kafka's settings are read once; what does not fit together is one sentence that names the variable."""

import os
import re
from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess, UnusableAccess
from kafka_access.environment import local_access, named_access, read_access
from tests.kafka_access.certificates import Authority

SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": "k:9093"}
SECRET = "correct-horse"
LOGIN = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "score", "KAFKA_SASL_PASSWORD": SECRET}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_broker_alone_is_plaintext() -> None:
    access = read_access(SERVERS)
    assert access == KafkaAccess(servers="k:9093")
    assert access.librdkafka() == {"bootstrap.servers": "k:9093", "security.protocol": "PLAINTEXT"}


def test_a_user_reaches_both_libraries_with_scram_unless_told_otherwise() -> None:
    access = read_access(SERVERS | LOGIN)
    assert access.librdkafka() == {
        "bootstrap.servers": "k:9093", "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "score", "sasl.password": SECRET}
    arguments = access.aiokafka()
    assert arguments.pop("ssl_context").check_hostname
    assert arguments == {
        "bootstrap_servers": "k:9093", "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "score", "sasl_plain_password": SECRET}
    assert read_access(SERVERS | LOGIN | {"KAFKA_SASL_MECHANISM": "PLAIN"}).mechanism == "PLAIN"


def test_a_secret_may_come_from_a_file_with_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    login = LOGIN | {"KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password")}
    assert read_access(SERVERS | login).password == SECRET


def test_certificates_reach_both_libraries(authority: Authority) -> None:
    own = authority.issue("score", password="locked")
    environment = SERVERS | {
        "KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_SSL_CA_LOCATION": str(authority.file),
        "KAFKA_SSL_CERTIFICATE_LOCATION": str(own.certificate), "KAFKA_SSL_KEY_LOCATION": str(own.key),
        "KAFKA_SSL_KEY_PASSWORD": "locked"}
    access = read_access(environment)
    assert access.librdkafka() == {
        "bootstrap.servers": "k:9093", "security.protocol": "SSL", "ssl.ca.location": str(authority.file),
        "ssl.certificate.location": str(own.certificate), "ssl.key.location": str(own.key),
        "ssl.key.password": "locked"}
    assert access.aiokafka()["ssl_context"].get_ca_certs()[0]["serialNumber"]
    with pytest.raises(UnusableAccess, match="cannot be loaded"):
        read_access(environment | {"KAFKA_SSL_KEY_PASSWORD": ""})


@pytest.mark.parametrize(("change", "sentence"), [
    ({"KAFKA_BOOTSTRAP_SERVERS": ""}, "KAFKA_BOOTSTRAP_SERVERS is not set; it must hold the host:port"),
    ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL is 'TLS'; allowed: PLAINTEXT, SSL, SASL_PLAINTEXT"),
    ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM is 'GSSAPI'; allowed: PLAIN, SCRAM-SHA-256, SCRAM"),
    ({"KAFKA_SASL_PASSWORD": ""}, "needs KAFKA_SASL_PASSWORD (or KAFKA_SASL_PASSWORD_FILE)"),
    ({"KAFKA_SASL_USERNAME": ""}, "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_USERNAME"),
    ({"KAFKA_SECURITY_PROTOCOL": ""}, "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD is set, but KAFKA_SECURITY_PROTOCOL"),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SSL_CA_LOCATION": "/ca.pem"}, "KAFKA_SSL_CA_LOCATION is set"),
    ({"KAFKA_SSL_CA_LOCATION": "/nowhere/ca.pem"}, "names /nowhere/ca.pem, which cannot be read (No such file"),
    ({"KAFKA_SSL_KEY_LOCATION": os.devnull}, "KAFKA_SSL_KEY_LOCATION needs KAFKA_SSL_CERTIFICATE_LOCATION"),
    ({"KAFKA_SSL_CA_LOCATION": os.devnull}, "certificates for Kafka cannot be loaded"),
    ({"KAFKA_SASL_PASSWORD_FILE": "/f"}, "both KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are set"),
    ({"KAFKA_SASL_PASSWORD": "", "KAFKA_SASL_PASSWORD_FILE": os.devnull}, "which is empty"),
])
def test_settings_that_do_not_fit_together_are_named_and_no_secret_is(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(UnusableAccess, match=re.escape(sentence)) as refused:
        read_access(SERVERS | LOGIN | change)
    assert SECRET not in str(refused.value)


def test_the_local_stack_knows_no_users() -> None:
    assert local_access("127.0.0.1:19092", {}) == KafkaAccess(servers="127.0.0.1:19092")
    with pytest.raises(UnusableAccess, match="KAFKA_SASL_PASSWORD is set, but KAFKA_BOOTSTRAP_SERVERS is not"):
        local_access("127.0.0.1:19092", LOGIN)


def test_the_environments_broker_goes_before_the_one_that_runs() -> None:
    assert named_access(SERVERS, "127.0.0.1:1") == KafkaAccess(servers="k:9093")
    assert named_access({}, "127.0.0.1:1") == KafkaAccess(servers="127.0.0.1:1")
    assert named_access({}, None) is None


def test_a_value_shows_where_and_who_and_no_secret() -> None:
    shown = repr(KafkaAccess(servers="k:9093", username="score", password=SECRET, key_password=SECRET))
    assert "k:9093" in shown
    assert "score" in shown
    assert SECRET not in shown
