"""`python -m producers.api`: the ingestion API of one pipeline, on port 8001 of loopback unless told otherwise."""

import asyncio
import gc
import os
import signal
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
from doors.server import serve
from doors.settings import DoorSettings, read_door_settings, read_port
from producers.api.intake import Intake
from producers.api.readers import EventReader, LabelReader
from producers.api.recent import Recent
from producers.api.routes import ROUTES, routes
from producers.api.sender import Sender
from schema_registry.events import event_codec
from schemas.pipeline import Pipeline, PipelineError, load_pipeline
from schemas.topics import EVENTS, LABELS, topic_name
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

PORT = 8001
WRONG_START = 2

log = structlog.get_logger()


def build(pipeline: Pipeline, kafka: Mapping[str, str], settings: DoorSettings,
          environment: Mapping[str, str] = os.environ) -> tuple[ASGIApp, Sender]:
    """The application of a pipeline, and what sends for it."""
    events, labels = topic_name(pipeline.name, EVENTS), topic_name(pipeline.name, LABELS)
    sender = Sender(kafka, (events, labels))
    reader = EventReader(pipeline, event_codec(pipeline, environment), lambda: time.time_ns() // 1_000_000)

    @asynccontextmanager
    async def sending(_: Litestar) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(sender.follow()), asyncio.create_task(sender.probe())]
        for task in tasks:
            task.add_done_callback(_end_with)
        yield
        for task in tasks:
            task.cancel()

    app = door(
        routes(pipeline, Intake(events, reader, sender, Recent()), Intake(labels, LabelReader(pipeline), sender)),
        settings, title=f"Ingestion of {pipeline.name}", routes=ROUTES, trouble=lambda: sender.trouble,
        lifespan=[sending], description=(
            f"Events and labels of pipeline '{pipeline.name}', answered once Kafka has confirmed them. An event is "
            "known by its entity and event_id: a request that is sent again brings nobody anything twice."))
    return app, sender


def _end_with(task: asyncio.Task[None]) -> None:
    """Without this task no request would ever be answered: the service ends, and its supervisor starts it anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the service is broken and ends", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run the service of this process's environment."""
    try:
        settings = read_door_settings(os.environ, "AUTOML_STREAM_INGESTION_PORT", PORT)
        pipeline = load_pipeline(Path(_need("AUTOML_STREAM_PIPELINE", "path of the pipeline file")))
        kafka = {"bootstrap.servers": _need("KAFKA_BOOTSTRAP_SERVERS", "host:port of a Kafka broker")}
        metrics_port = read_port(os.environ, "METRICS_PORT", 0)
        configure_logs(service="ingestion", pipeline=pipeline.name)
        app, sender = build(pipeline, kafka, settings)
    except (PipelineError, UnusableSettings) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(WRONG_START)
    serve_metrics(metrics_port, lambda: {"ok": not sender.trouble})
    gc.freeze()
    log.info("open", host=settings.host, port=settings.port, tokens=bool(settings.tokens))
    serve(app, settings)


def _need(name: str, what: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UnusableSettings(f"{name} is not set; it must hold the {what}")
    return value


if __name__ == "__main__":
    main()
