"""What a service reads from its environment, once, at the edge."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import urlsplit

from msgspec import Struct

from kafka_access.access import KafkaAccess, UnusableAccess
from kafka_access.environment import read_access
from schemas.pipeline import PipelineError
from telemetry.endpoint import Endpoint, UnusableEndpoint, read_endpoint

WRONG_START = 2
_KEYWORDS = re.compile(r"(\s*\w+\s*=\s*('[^']*'|[^\s']*))+\s*")  # of libpq


class StartError(Exception):
    """The service cannot start; the message says why and what to do. Root of such errors. Not retriable."""


class MissingSetting(StartError):
    """A setting that the service needs is not in its environment, or is none."""


def explained(main: Callable[[], None]) -> Callable[[], None]:
    """What is wrong with the environment or the pipeline file ends in one sentence and exit code 2, not a traceback."""

    @wraps(main)
    def start() -> None:
        try:
            main()
        except (StartError, PipelineError, UnusableAccess, UnusableEndpoint) as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(WRONG_START)

    return start


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """Where the service finds its pipeline and Kafka, who it is, where it shows its metrics, and a directory of its own
    machine that outlives it."""

    pipeline: Path
    kafka: KafkaAccess
    instance: str
    metrics: Endpoint
    state: Path
    database_url: str | None = None


def read_settings(environment: Mapping[str, str] = os.environ) -> ServiceSettings:
    """Settings of this process.

    Raises:
        MissingSetting: naming the variable.
        UnusableAccess: as read_access.
        UnusableEndpoint: as read_endpoint.
    """
    return ServiceSettings(
        pipeline=Path(_need(environment, "AUTOML_STREAM_PIPELINE", "path of the pipeline file")),
        kafka=read_access(environment),
        instance=environment.get("AUTOML_STREAM_INSTANCE", "0"),
        metrics=read_endpoint(environment),
        state=Path(environment.get("AUTOML_STREAM_STATE") or Path(gettempdir()) / f"automl-stream-{os.getuid()}"),
        database_url=database_url(environment),
    )


def require_database(settings: ServiceSettings) -> str:
    """The database's URL.

    Raises:
        MissingSetting: without one.
    """
    if settings.database_url is None:
        raise MissingSetting("DATABASE_URL is not set; it must hold the URL of a PostgreSQL database")
    return settings.database_url


def database_url(environment: Mapping[str, str]) -> str | None:
    """DATABASE_URL, None where it is not set. A driver repeats what it cannot read, and a password is in it: so it is
    read here first.

    Raises:
        MissingSetting: when it is neither a URL of PostgreSQL nor keywords with values; without a word of its content.
    """
    text = environment.get("DATABASE_URL") or None
    if text is None or ("://" not in text and _KEYWORDS.fullmatch(text)):
        return text
    try:
        url = urlsplit(text)
        readable = url.scheme in {"postgresql", "postgres"} and url.port != 0
    except ValueError:
        readable = False
    if not readable:
        raise MissingSetting("DATABASE_URL cannot be read; it must look like postgresql://user:password@host:5432/name,"
                             " with / @ : and the like in the password as %2F %40 %3A")
    return text


def _need(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name)
    if not value:
        raise MissingSetting(f"{name} is not set; it must hold the {what}")
    return value
