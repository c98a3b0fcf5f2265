"""The prediction API of one pipeline, on port 8002 of loopback unless told otherwise.

Run: python -m stream_apps.predict
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar
from litestar.types import ASGIApp

from doors.app import door
from doors.errors import UnusableSettings
from doors.server import end_with, serve
from doors.settings import DoorSettings, read_door_settings
from kafka_access.definition import in_force
from schema_registry.events import event_codec
from schemas.pipeline import Pipeline, load_pipeline
from schemas.topics import EVENTS, topic_name
from stream_apps.predict.desk import Desk
from stream_apps.predict.event_log import EventLog
from stream_apps.predict.metrics import PredictionMetrics
from stream_apps.predict.routes import ROUTES, routes
from stream_apps.settings import WRONG_START, MissingSetting, ServiceSettings, explained, read_settings
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs

PORT = 8002
CONFIRMED_SECONDS = 3.0  # within which Kafka confirms an event, or its request is answered with 503
EXPLAIN_SECONDS = 2.0

log = structlog.get_logger()


def build(pipeline: Pipeline, service: ServiceSettings, settings: DoorSettings,
          environment: Mapping[str, str] = os.environ) -> tuple[ASGIApp, Desk, PredictionMetrics]:
    """The application of a pipeline, who answers in it, and what it shows of itself."""
    metrics = PredictionMetrics()
    events = EventLog(topic_name(pipeline.name, EVENTS), service.kafka, CONFIRMED_SECONDS)
    desk = Desk(pipeline, event_codec(pipeline, environment), service.kafka, events, metrics)

    @asynccontextmanager
    async def following(_: Litestar) -> AsyncIterator[None]:
        follower = asyncio.create_task(desk.follow())
        follower.add_done_callback(end_with)
        yield
        follower.cancel()
        await desk.close()

    app = door(routes(pipeline, desk, _explain_seconds(environment)), settings, title=f"Predictions of {pipeline.name}",
               routes=ROUTES, trouble=desk.trouble, metrics=metrics.door, lifespan=[following], description=(
                   f"Events of pipeline '{pipeline.name}', answered at once by the models that score the stream. What "
                   "is answered is in Kafka: its prediction on record names the same source."))
    return app, desk, metrics


def _explain_seconds(environment: Mapping[str, str]) -> float:
    text = environment.get("AUTOML_STREAM_EXPLAIN_SECONDS") or str(EXPLAIN_SECONDS)
    try:
        return float(text)
    except ValueError as error:
        raise MissingSetting(f"AUTOML_STREAM_EXPLAIN_SECONDS is '{text}'; it must hold a number of seconds") from error


@explained
def main() -> None:
    """Run the service of this process's environment."""
    try:
        settings = read_door_settings(os.environ, "AUTOML_STREAM_PREDICTION_PORT", PORT)
    except UnusableSettings as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(WRONG_START)
    service = read_settings()
    pipeline, _ = in_force(load_pipeline(service.pipeline), service.kafka)
    configure_logs(service="predict", pipeline=pipeline.name)
    app, desk, metrics = build(pipeline, service, settings)
    serve_metrics(service.metrics, metrics, lambda: {"ok": not desk.trouble()})
    gc.freeze()
    log.info("open", host=settings.host, port=settings.port, tokens=bool(settings.tokens))
    serve(app, settings)


if __name__ == "__main__":
    main()
