"""No Kafka client is made but from a KafkaAccess: one that is would go to a secured cluster without a word of who it
is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kafka_access

ROOT = Path(kafka_access.__file__).parents[1]
PACKAGES = ("automl_stream", "bench", "kafka_access", "producers", "schema_registry", "stream_apps", "telemetry",
            "trainer")
CLIENTS = {"confluent_kafka": ("Consumer", "Producer", "DeserializingConsumer", "SerializingProducer"),
           "confluent_kafka.admin": ("AdminClient",), "confluent_kafka.aio": ("AIOConsumer", "AIOProducer"),
           "aiokafka": ("AIOKafkaConsumer", "AIOKafkaProducer"), "aiokafka.admin": ("AIOKafkaAdminClient",),
           "confluent_kafka.cimpl": ("Consumer", "Producer")}
# Peers of the benchmarks have settings of their own: they are not ours.
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
           if "contenders" not in path.parts]


def careless(source: str) -> list[int]:
    """Lines that make a client whose settings do not come from `.librdkafka()` or `.aiokafka()`."""
    tree = ast.parse(source)
    names = set(_clients(tree))
    return [node.lineno for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in names
            and not any(isinstance(inner, ast.Attribute) and inner.attr in {"librdkafka", "aiokafka"}
                        for argument in (*node.args, *node.keywords) for inner in ast.walk(argument))]


def _clients(tree: ast.Module) -> Iterator[str]:
    """What the module calls the clients."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            wanted = CLIENTS.get(node.module or "", ())
            yield from (alias.asname or alias.name for alias in node.names if alias.name in wanted)
        elif isinstance(node, ast.Import):
            yield from (f"{alias.asname or alias.name}.{client}" for alias in node.names
                        for client in CLIENTS.get(alias.name, ()))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_client_is_made_from_an_access(path: Path) -> None:
    assert careless(path.read_text("utf-8")) == []


def test_there_are_clients_of_each_kind_to_look_at() -> None:
    found = {name for path in SOURCES for name in _clients(ast.parse(path.read_text("utf-8")))}
    assert found >= {"Consumer", "Producer", "AdminClient", "AIOKafkaConsumer"}


@pytest.mark.parametrize("source", [
    'from confluent_kafka import Consumer\nConsumer({"bootstrap.servers": servers})',
    "from confluent_kafka import Producer as P\nP(settings)",
    "import confluent_kafka\nconfluent_kafka.Producer(settings)",
    "from confluent_kafka.admin import AdminClient\nAdminClient(kafka)",
    "from aiokafka import AIOKafkaConsumer\nAIOKafkaConsumer(bootstrap_servers=servers)",
])
def test_a_client_of_bare_servers_is_found(source: str) -> None:
    assert careless(source) == [2]
    assert careless(source.replace("servers}", "servers, **kafka.librdkafka()}").replace(
        "settings)", "kafka.librdkafka())").replace("AdminClient(kafka)", "AdminClient(kafka.librdkafka())").replace(
        "(bootstrap_servers=servers)", "(**kafka.aiokafka())")) == []
