"""What the trainer reads from its environment, once, at the edge."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from msgspec import Struct

from kafka_access.access import KafkaAccess
from kafka_access.environment import read_access
from telemetry.endpoint import Endpoint, read_endpoint
from trainer.errors import MissingSetting


class RegistrySettings(Struct, frozen=True, kw_only=True):
    """Where MLflow is. `tracking_uri`: http(s) or a SQLAlchemy store; `artifact_root`: for stores without a server."""

    tracking_uri: str
    artifact_root: str | None = None


class TrainerSettings(Struct, frozen=True, kw_only=True):
    """Where the trainer finds its pipeline, Kafka and MLflow, who it is, and where it shows its metrics."""

    pipeline: Path
    kafka: KafkaAccess
    registry: RegistrySettings
    instance: str
    metrics: Endpoint


def read_settings(environment: Mapping[str, str] = os.environ) -> TrainerSettings:
    """Settings of this process.

    Raises:
        MissingSetting: naming the variable.
        UnusableAccess: as read_access.
        UnusableEndpoint: as read_endpoint.
    """
    instance = environment.get("AUTOML_STREAM_INSTANCE", "0")
    return TrainerSettings(
        pipeline=Path(_need(environment, "AUTOML_STREAM_PIPELINE", "path of the pipeline file")),
        kafka=replace(read_access(environment), client_id=f"trainer-{instance}"),
        registry=RegistrySettings(
            tracking_uri=_need(environment, "MLFLOW_TRACKING_URI", "address of MLflow's server or store"),
            artifact_root=environment.get("MLFLOW_DEFAULT_ARTIFACT_ROOT"),
        ),
        instance=instance,
        metrics=read_endpoint(environment),
    )


def _need(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name)
    if not value:
        raise MissingSetting(f"{name} is not set; it must hold the {what}")
    return value
