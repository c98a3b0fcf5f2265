"""The variables of the environment: who reads which, as the code says; what they hold, as is said here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kafka_access.environment import SECRETS
from manual.commands import commands
from manual.markdown import code, table

INTRODUCTION = """# Environment variables

Each is read once, at the start; one that does not fit ends the start with a sentence that names it. What is set and
empty is not set. Options of the command line that are also variables: [commands](commands.md).

"""
TOP = Path(__file__).parents[1]
READERS = {"automl_stream": "command line", "console": "console", "doors": "HTTP doors", "grafana": "command line",
           "kafka_access": "whoever goes to Kafka",
           "producers": "ingestion API", "schema_registry": "whoever reads or writes Avro events",
           "stream_apps/predict": "prediction API", "stream_apps": "score, monitor, labels, record, prediction API",
           "telemetry": "every service", "trainer": "trainer"}
NAME = re.compile(r"(AUTOML_STREAM|DATABASE|GRAFANA|KAFKA|METRICS|MLFLOW|SCHEMA_REGISTRY|XDG)(_[A-Z]+)+")
NOT_READ = {"KAFKA_CONTROLLER", "MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"}

HOLDS = {
    "AUTOML_STREAM_ALERTMANAGER": "`host:port` of the Alertmanager that the local Prometheus tells. Else none.",
    "AUTOML_STREAM_CONSOLE_METRICS_PORT": "Port of the metrics of the local stack's console. Else 19099.",
    "AUTOML_STREAM_CONSOLE_PORT": "Port of the console. Else 8050.",
    "AUTOML_STREAM_EXPLAIN_SECONDS": "Time that the explanations of one request may take. Else 2.",
    "AUTOML_STREAM_HOME": "Directory of the local stack's data and logs. Else `.automl-stream`.",
    "AUTOML_STREAM_HOST": "Address on which an HTTP door listens. Else 127.0.0.1.",
    "AUTOML_STREAM_INGESTION_PORT": "Port of the ingestion API. Else 8001.",
    "AUTOML_STREAM_INSTANCE": "Who this process is among its like, the same over restarts. Else 0.",
    "AUTOML_STREAM_KAFKA_CONTROLLER_PORT": "Port of the local stack's Kafka controller. Else 19093.",
    "AUTOML_STREAM_KAFKA_PORT": "Port of the local stack's Kafka. Else 19092.",
    "AUTOML_STREAM_MAVEN_URL": "A mirror of Maven Central, for Kafka's jars.",
    "AUTOML_STREAM_METRICS_PORT": "First metrics port of the local stack's services. Else 19100.",
    "AUTOML_STREAM_MLFLOW_PORT": "Port of the local stack's MLflow. Else 15000.",
    "AUTOML_STREAM_PIPELINE": "Path of the pipeline file. Every service needs it.",
    "AUTOML_STREAM_PIPELINES": "Paths of the pipeline files that the console shows, separated by `:`.",
    "AUTOML_STREAM_POSTGRES_PORT": "Port of the local stack's PostgreSQL. Else 15432.",
    "AUTOML_STREAM_PREDICTION_PORT": "Port of the prediction API. Else 8002.",
    "AUTOML_STREAM_PROMETHEUS_PORT": "Port of the local stack's Prometheus. Else 19090.",
    "AUTOML_STREAM_STATE": "Directory of what concerns this machine alone and outlives the process. Else temporary.",
    "AUTOML_STREAM_TOKENS": "Tokens, `NAME:TOKEN`, separated by spaces or commas; `none` opens a door to this machine.",
    "AUTOML_STREAM_TOKENS_FILE": "A file of tokens, one a line.",
    "DATABASE_URL": "URL of PostgreSQL. Labels, recorder and console need it; else that of the local stack.",
    "GRAFANA_TOKEN": "Token of a service account there with the role Editor.",
    "GRAFANA_URL": "Address of the Grafana that the dashboards are pushed to.",
    "KAFKA_BOOTSTRAP_SERVERS": "`host:port` of some brokers, comma-separated. Every service needs it; else the local "
                               "stack's.",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN. Else SCRAM-SHA-512.",
    "KAFKA_SASL_PASSWORD": "The principal's password.",
    "KAFKA_SASL_PASSWORD_FILE": "A file that holds it.",
    "KAFKA_SASL_USERNAME": "The principal.",
    "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Else PLAINTEXT.",
    "KAFKA_SSL_CA_LOCATION": "PEM file of who may vouch for a broker. Else the system's.",
    "KAFKA_SSL_CERTIFICATE_LOCATION": "The client's certificate, a PEM file.",
    "KAFKA_SSL_KEY_LOCATION": "Its key, a PEM file.",
    "KAFKA_SSL_KEY_PASSWORD": "Opens a locked key.",
    "KAFKA_SSL_KEY_PASSWORD_FILE": "A file that holds it.",
    "METRICS_HOST": "Address on which a service shows its metrics and health. Else 127.0.0.1.",
    "METRICS_PORT": "Port of `/metrics` and `/healthz`. Else a free one.",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "Where artifacts go when MLFLOW_TRACKING_URI is a database.",
    "MLFLOW_TRACKING_URI": "Address of MLflow's server or store. The trainer needs it; else the local stack's.",
    "SCHEMA_REGISTRY_AUTH": "`user:password` for the registry.",
    "SCHEMA_REGISTRY_URL": "URL of the registry; goes before `[encoding] schema_registry`.",
    "XDG_CACHE_HOME": "Where Kafka's jars are kept. Else `~/.cache`.",
}


def page() -> str:
    """The page. A variable that is read and not told of here, or the other way round, is an error."""
    found = readers()
    rows = [(code(name), HOLDS[name], ", ".join(found[name])) for name in sorted(found | HOLDS)]
    return INTRODUCTION + table(("variable", "what it holds", "read by"), rows)


def readers() -> dict[str, list[str]]:
    """Who reads each variable, by its name."""
    found: dict[str, list[str]] = {}
    seen = set[Path]()
    for folder, reader in READERS.items():
        files = set((TOP / folder).rglob("*.py")) - seen
        seen |= files
        for name in {name for file in files for name in _named(file)} - NOT_READ:
            found[name] = list(dict.fromkeys([*found.get(name, []), reader]))
    for variable in {parameter.envvar for _, command in commands() for parameter in command.params} - {None, *found}:
        found[variable] = [READERS["automl_stream"]]
    return found | {f"{name}_FILE": found[name] for name in SECRETS}


def _named(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
            yield node.value
