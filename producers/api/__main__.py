"""`python -m producers.api`: the ingestion API of one pipeline, on port 8001 of loopback unless told otherwise."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from litestar import Litestar
from litestar.types import ASGIApp

from doors.app import door
from doors.errors import UnusableSettings
from doors.server import end_with, serve
from doors.settings import DoorSettings, read_door_settings
from kafka_access.access import KafkaAccess, UnusableAccess
from kafka_access.definition import UnreadableDefinition, in_force
from kafka_access.environment import read_access
from producers.api.intake import Intake
from producers.api.metrics import IngestionMetrics
from producers.api.readers import EventReader, LabelReader
from producers.api.recent import Recent
from producers.api.routes import ROUTES, routes
from producers.api.sender import Sender
from schema_registry.events import event_codec
from schemas.pipeline import Pipeline, PipelineError, load_pipeline
from schemas.topics import EVENTS, LABELS, topic_name
from telemetry.endpoint import UnusableEndpoint, read_endpoint, serve_metrics
from telemetry.logs import configure_logs

PORT = 8001
WRONG_START = 2

log = structlog.get_logger()


def build(pipeline: Pipeline, kafka: KafkaAccess, settings: DoorSettings,
          environment: Mapping[str, str] = os.environ) -> tuple[ASGIApp, Sender, IngestionMetrics]:
    """The application of a pipeline, what sends for it, and what it shows of itself."""
    metrics = IngestionMetrics()
    events, labels = topic_name(pipeline.name, EVENTS), topic_name(pipeline.name, LABELS)
    sender = Sender(kafka, (events, labels))
    reader = EventReader(pipeline, event_codec(pipeline, environment), lambda: time.time_ns() // 1_000_000)

    @asynccontextmanager
    async def sending(_: Litestar) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(sender.follow()), asyncio.create_task(sender.probe())]
        for task in tasks:
            task.add_done_callback(end_with)
        yield
        for task in tasks:
            task.cancel()

    app = door(
        routes(pipeline, Intake(events, reader, sender, metrics.of("events"), Recent()),
               Intake(labels, LabelReader(pipeline), sender, metrics.of("labels"))),
        settings, title=f"Ingestion of {pipeline.name}", routes=ROUTES, trouble=lambda: sender.trouble,
        metrics=metrics.door, lifespan=[sending], description=(
            f"Events and labels of pipeline '{pipeline.name}', answered once Kafka has confirmed them. An event is "
            "known by its entity and event_id: a request that is sent again brings nobody anything twice."))
    return app, sender, metrics


def main() -> None:
    """Run the service of this process's environment."""
    try:
        settings = read_door_settings(os.environ, "AUTOML_STREAM_INGESTION_PORT", PORT)
        kafka = read_access()
        pipeline, _ = in_force(load_pipeline(_pipeline_file()), kafka)
        endpoint = read_endpoint(os.environ)
        configure_logs(service="ingestion", pipeline=pipeline.name)
        app, sender, metrics = build(pipeline, kafka, settings)
    except (PipelineError, UnusableAccess, UnusableEndpoint, UnusableSettings) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(WRONG_START)
    except UnreadableDefinition as error:  # Kafka may answer at the next start
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    serve_metrics(endpoint, metrics, lambda: {"ok": not sender.trouble})
    gc.freeze()
    log.info("open", host=settings.host, port=settings.port, tokens=bool(settings.tokens))
    serve(app, settings)


def _pipeline_file() -> Path:
    file = os.environ.get("AUTOML_STREAM_PIPELINE")
    if not file:
        raise UnusableSettings("AUTOML_STREAM_PIPELINE is not set; it must hold the path of the pipeline file")
    return Path(file)


if __name__ == "__main__":
    main()
