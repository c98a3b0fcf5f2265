"""One value for every client: brokers, and the SASL and TLS settings in each library's own words."""

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

NO_GROUP = "automl-stream-"  # librdkafka asks every reader for a group's name: nothing is committed under these


class UnusableAccess(Exception):
    """The settings of Kafka's security do not fit together, or name what cannot be read; the message says which and
    what to do. Not retriable."""


@dataclass(frozen=True, kw_only=True)
class KafkaAccess:
    """Where the cluster is and as whom to go there; a value shows no secret of its own.

    Attributes:
        servers: `host:port` of some brokers, comma-separated.
        ca: file of the authorities (PEM) that may vouch for a broker; empty: those of the system.
        certificate: file of the client's own certificate (PEM); `key`: of its private key, `key_password` opens it.
        client_id: what the brokers call this client in their logs.
    """

    servers: str
    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = field(default="", repr=False)
    client_id: str = ""

    @property
    def sasl(self) -> bool:
        """Whether the client names itself by user and password."""
        return self.protocol.startswith("SASL")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    def librdkafka(self) -> dict[str, str | int | float | bool]:
        """Settings for confluent_kafka's clients."""
        settings = {
            "bootstrap.servers": self.servers, "security.protocol": self.protocol,
            "sasl.mechanism": self.mechanism or "", "sasl.username": self.username, "sasl.password": self.password,
            "ssl.ca.location": self.ca, "ssl.certificate.location": self.certificate, "ssl.key.location": self.key,
            "ssl.key.password": self.key_password, "client.id": self.client_id,
        }
        return {name: value for name, value in settings.items() if value}

    def aiokafka(self) -> dict[str, Any]:
        """Arguments for aiokafka's clients.

        Raises:
            UnusableAccess: when certificate or key cannot be loaded.
        """
        settings: dict[str, Any] = {"bootstrap_servers": self.servers, "security_protocol": self.protocol,
                                    "ssl_context": self.ssl_context()}
        if self.client_id:
            settings["client_id"] = self.client_id
        if self.sasl:
            settings |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.username,
                         "sasl_plain_password": self.password}
        return settings

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS for Python's own sockets, which checks the broker's name; None where there is none.

        Raises:
            UnusableAccess: when certificate or key cannot be loaded.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.certificate:
                # Never None: a key that is locked would ask for its password at a terminal that is not there.
                context.load_cert_chain(self.certificate, self.key or None, self.key_password)
        except (OSError, ValueError) as error:
            files = ", ".join(filter(None, (self.ca, self.certificate, self.key)))
            raise UnusableAccess(f"the certificates for Kafka cannot be loaded ({error}); see to {files}: PEM files "
                                 "that belong together, and KAFKA_SSL_KEY_PASSWORD where the key is locked") from error
        return context
