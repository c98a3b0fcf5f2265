"""What the console reads from its environment, once, at the edge."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from console.errors import UnusableSettings
from doors.settings import DoorSettings, read_door_settings
from kafka_access.access import KafkaAccess
from kafka_access.environment import read_access
from schemas.pipeline import load_pipeline
from telemetry.endpoint import Endpoint, read_endpoint

PORT = 8050
PIPELINES = "AUTOML_STREAM_PIPELINES"


class ConsoleSettings(Struct, frozen=True, kw_only=True):
    """Where the console listens and whom it lets in, and where what it shows is. `pipelines`: file by name."""

    door: DoorSettings
    endpoint: Endpoint
    pipelines: dict[str, Path]
    kafka: KafkaAccess
    database_url: str


def read_settings(environment: Mapping[str, str] = os.environ) -> ConsoleSettings:
    """Settings of this process.

    Raises:
        UnusableSettings, doors.errors.UnusableSettings: naming the variable.
        UnusableAccess, UnusableEndpoint: as read_access, read_endpoint.
        PipelineError: where a file cannot be used.
    """
    files = [Path(text) for text in environment.get(PIPELINES, "").split(os.pathsep) if text]
    return ConsoleSettings(
        door=read_door_settings(environment, "AUTOML_STREAM_CONSOLE_PORT", PORT),
        endpoint=read_endpoint(environment),
        pipelines={load_pipeline(file).name: file.absolute() for file in files},
        kafka=read_access(environment),
        database_url=_database_url(environment),
    )


def _database_url(environment: Mapping[str, str]) -> str:
    url = environment.get("DATABASE_URL", "")
    try:
        conninfo_to_dict(url)
    except ProgrammingError:  # it repeats what it cannot read, and a password is in it
        raise UnusableSettings("DATABASE_URL cannot be read; it must look like postgresql://user:password@host:5432/"
                               "name, with / @ : and the like in the password as %2F %40 %3A") from None
    if not url:
        raise UnusableSettings("DATABASE_URL is not set; it must hold the URL of a PostgreSQL database")
    return url
