"""Kafka's settings as the environment gives them, read once, at the edge. docs/security.md has the table."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, get_args

from kafka_access.access import KafkaAccess, Mechanism, Protocol, UnusableAccess

SERVERS = "KAFKA_BOOTSTRAP_SERVERS"
PROTOCOL = "KAFKA_SECURITY_PROTOCOL"
MECHANISM, USERNAME, PASSWORD = "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"
CA, CERTIFICATE, KEY = "KAFKA_SSL_CA_LOCATION", "KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION"
KEY_PASSWORD = "KAFKA_SSL_KEY_PASSWORD"  # noqa: S105 - the variable's name
OF_SASL = (MECHANISM, USERNAME, PASSWORD)
OF_TLS = (CA, CERTIFICATE, KEY, KEY_PASSWORD)
SECRETS = (PASSWORD, KEY_PASSWORD)  # each of them may be named by a file instead: <name>_FILE

ChoiceT = TypeVar("ChoiceT", bound=str)


def read_access(environment: Mapping[str, str] = os.environ, servers: str = "") -> KafkaAccess:
    """The access that the environment describes; `servers` goes before KAFKA_BOOTSTRAP_SERVERS.

    Raises:
        UnusableAccess: when no broker is named, or the settings do not fit together.
    """
    servers = servers or environment.get(SERVERS, "")
    if not servers:
        raise UnusableAccess(f"{SERVERS} is not set; it must hold the host:port of a Kafka broker")
    given = {name: value for name in (*OF_SASL, *OF_TLS) if (value := _value(environment, name))}
    protocol = _choice(PROTOCOL, environment.get(PROTOCOL, "").upper() or "PLAINTEXT", get_args(Protocol))
    sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
    _refuse(given, () if sasl else OF_SASL, protocol, "SASL_SSL or SASL_PLAINTEXT")
    _refuse(given, () if tls else OF_TLS, protocol, "SASL_SSL or SSL")
    if sasl:
        _require(given, (USERNAME, PASSWORD), f"{PROTOCOL}={protocol}")
    if KEY in given or KEY_PASSWORD in given:
        _require(given, (CERTIFICATE,), KEY if KEY in given else KEY_PASSWORD)
    for name in (CA, CERTIFICATE, KEY):
        if name in given:
            _read(name, given[name])
    access = KafkaAccess(
        servers=servers, protocol=protocol,
        mechanism=_choice(MECHANISM, given.get(MECHANISM, "SCRAM-SHA-512"), get_args(Mechanism)) if sasl else None,
        username=given.get(USERNAME, ""), password=given.get(PASSWORD, ""), ca=given.get(CA, ""),
        certificate=given.get(CERTIFICATE, ""), key=given.get(KEY, ""), key_password=given.get(KEY_PASSWORD, ""))
    access.ssl_context()  # what cannot be loaded stops the start, not the first connection
    return access


def local_access(servers: str, environment: Mapping[str, str] = os.environ) -> KafkaAccess:
    """Access to a broker of the local stack: loopback, plaintext.

    Raises:
        UnusableAccess: when the environment has settings for another broker, and does not name it.
    """
    secured = [name for name in (PROTOCOL, *OF_SASL, *OF_TLS, *(f"{name}_FILE" for name in SECRETS))
               if environment.get(name)]
    if secured and environment.get(PROTOCOL, "").upper() != "PLAINTEXT":
        raise UnusableAccess(f"{', '.join(secured)} is set, but {SERVERS} is not, and the local stack's broker knows "
                             f"no users; set {SERVERS}, or unset the others")
    return KafkaAccess(servers=servers)


def named_access(environment: Mapping[str, str], running: str | None) -> KafkaAccess | None:
    """Access to the environment's broker, else to the `running` one of the local stack; None where there is neither.

    Raises:
        UnusableAccess: as the other two.
    """
    if environment.get(SERVERS):
        return read_access(environment)
    return local_access(running, environment) if running else None


def _value(environment: Mapping[str, str], name: str) -> str:
    value, file = environment.get(name, ""), environment.get(f"{name}_FILE", "") if name in SECRETS else ""
    if value and file:
        raise UnusableAccess(f"both {name} and {name}_FILE are set; unset one of them")
    if not file:
        return value
    secret = _read(f"{name}_FILE", file).removesuffix("\n").removesuffix("\r")
    if not secret:
        raise UnusableAccess(f"{name}_FILE names {file}, which is empty; write the secret into it")
    return secret


def _read(name: str, file: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UnusableAccess(f"{name} names {file}, which cannot be read ({why}); give the path of a text file that "
                             "this user may read") from None


def _choice(name: str, found: str, allowed: tuple[ChoiceT, ...]) -> ChoiceT:
    for choice in allowed:
        if found == choice:
            return choice
    raise UnusableAccess(f"{name} is '{found}'; allowed: {', '.join(allowed)}")


def _refuse(given: Mapping[str, str], names: tuple[str, ...], protocol: str, instead: str) -> None:
    """What is set and not used would be believed to protect."""
    if found := [name for name in names if name in given]:
        raise UnusableAccess(f"{', '.join(found)} is set, but {PROTOCOL} is {protocol}; set it to {instead}, or unset "
                             f"{'it' if len(found) == 1 else 'them'}")


def _require(given: Mapping[str, str], names: tuple[str, ...], because: str) -> None:
    if missing := [name for name in names if name not in given]:
        secrets = [f"{name} (or {name}_FILE)" if name in SECRETS else name for name in missing]
        raise UnusableAccess(f"{because} needs {' and '.join(secrets)}; set what is missing")
