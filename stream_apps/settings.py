"""What a service reads from its environment, once, at the edge."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class MissingSetting(Exception):
    """A setting that the service needs is not in its environment. Not retriable."""


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """Where the service finds its pipeline and Kafka, who it is, and where it shows its metrics."""

    pipeline: Path
    bootstrap_servers: str
    instance: str
    metrics_port: int
    database_url: str | None = None


def read_settings(environment: Mapping[str, str] = os.environ) -> ServiceSettings:
    """Settings of this process.

    Raises:
        MissingSetting: naming the variable.
    """
    return ServiceSettings(
        pipeline=Path(_need(environment, "AUTOML_STREAM_PIPELINE", "path of the pipeline file")),
        bootstrap_servers=_need(environment, "KAFKA_BOOTSTRAP_SERVERS", "host:port of a Kafka broker"),
        instance=environment.get("AUTOML_STREAM_INSTANCE", "0"),
        metrics_port=int(environment.get("METRICS_PORT") or 0),
        database_url=environment.get("DATABASE_URL"),
    )


def _need(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name)
    if not value:
        raise MissingSetting(f"{name} is not set; it must hold the {what}")
    return value
