"""A broker that lets in nobody without a password, over TLS, and each only to what it was given."""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,  # pyright: ignore[reportPrivateImportUsage]  # documented
    AclOperation,  # pyright: ignore[reportPrivateImportUsage]  # documented
    AclPermissionType,  # pyright: ignore[reportPrivateImportUsage]  # documented
    ResourcePatternType,  # pyright: ignore[reportPrivateImportUsage]  # documented
    ResourceType,  # pyright: ignore[reportPrivateImportUsage]  # documented
)

from automl_stream.local_stack.kafka import is_serving
from automl_stream.local_stack.ports import LOOPBACK
from kafka_access.access import KafkaAccess
from kafka_access.acls import SERVICES, Permission
from tests.chaos.brokers import Brokers
from tests.kafka_access.certificates import Authority

ADMIN = "admin"
SECURED = """\
listeners=SASL_SSL://{host}:{broker},CONTROLLER://{host}:{controller}
advertised.listeners=SASL_SSL://{host}:{broker}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule \
required username="admin" password="{password}";
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
required user_plainly="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={store}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
"""  # ANONYMOUS is the controller's own listener, on loopback


class SecuredBroker(Brokers):
    """One broker with a user for each service, and an administrator."""

    def __init__(self, home: Path) -> None:
        """Nothing runs yet; passwords are made up, and lie in files beside the authority's certificate."""
        super().__init__(home)
        self._place = home / "secrets"
        self._place.mkdir(parents=True)
        self.authority = Authority(self._place)
        self._store = self.authority.issue("broker").store
        self.passwords = {user: secrets.token_hex(12) for user in (ADMIN, *SERVICES)}
        for user, password in self.passwords.items():
            (self._place / user).write_text(f"{password}\n")

    @property
    def kafka(self) -> KafkaAccess:
        """The administrator's."""
        return self.access(ADMIN)

    def access(self, user: str) -> KafkaAccess:
        """A user's."""
        return KafkaAccess(servers=self.address, protocol="SASL_SSL", mechanism="SCRAM-SHA-512", username=user,
                           password=self.passwords[user], ca=str(self.authority.file))

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"{LOOPBACK}:{self._ports[0][0]}"

    def environment(self, user: str) -> dict[str, str]:
        """What a process of this user finds in its environment."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.address, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": user,
                "KAFKA_SASL_PASSWORD_FILE": str(self._place / user), "KAFKA_SSL_CA_LOCATION": str(self.authority.file)}

    def allow(self, permissions: Iterable[Permission]) -> None:
        """Let each service, as the user of its name, do what it is permitted."""
        for future in self.admin.create_acls([_binding(p) for p in permissions]).values():
            future.result(30)

    def _node_serves(self, node: int) -> bool:
        del node
        return is_serving(self.kafka)

    def _format(self, java: Sequence[str], properties: Path) -> tuple[str, ...]:
        users = [part for user, password in self.passwords.items()
                 for part in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")]
        return (*super()._format(java, properties), *users)

    def _own(self, node: int) -> dict[str, str]:
        broker, controller = self._ports[node]
        text = SECURED.format(host=LOOPBACK, broker=broker, controller=controller, store=self._store,
                              authority=self.authority.file, password=self.passwords[ADMIN])
        return super()._own(node) | dict(line.split("=", 1) for line in text.splitlines())


def _binding(permission: Permission) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if permission.prefixed else ResourcePatternType.LITERAL
    return AclBinding(ResourceType[permission.resource.upper()], permission.name, pattern, f"User:{permission.service}",
                      "*", AclOperation[permission.operation.upper()], AclPermissionType.ALLOW)
