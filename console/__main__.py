"""`python -m console`: the web console of a home's pipelines, on port 8050 of loopback unless told otherwise."""

import os
import signal
import sys
from functools import partial

import structlog
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

from console.app import build
from console.artifacts import Artifacts
from console.errors import UnusableSettings
from console.live import Live
from console.logs import Logs
from console.metrics import METRICS
from console.orders import Orders
from console.pages import PAGES
from console.settings import read_settings
from console.site import Site
from console.store import Store
from doors.errors import UnusableSettings as UnusableDoor
from kafka_access.access import UnusableAccess
from schemas.pipeline import PipelineError
from telemetry.endpoint import UnusableEndpoint, serve_metrics
from telemetry.logs import configure_logs

WRONG_START = 2
THREADS = 8
STOP_SECONDS = 1  # for answers under way

log = structlog.get_logger()


def main() -> None:
    """Run the service of this process's environment."""
    try:
        settings = read_settings()
    except (UnusableSettings, UnusableDoor, UnusableAccess, UnusableEndpoint, PipelineError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(WRONG_START)
    configure_logs(service="console")
    orders = Orders({})
    live = Live(tuple(settings.pipelines), settings.kafka)
    site = Site(pipelines=settings.pipelines, store=Store(settings.database_url), logs=Logs(),
                artifacts=Artifacts(settings.kafka), live=live, orders=orders, kafka=settings.kafka)
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.shutdown = partial(dispatcher.shutdown, timeout=STOP_SECONDS)  # type: ignore[method-assign]
    dispatcher.set_thread_count(THREADS)
    server = create_server(build(site, PAGES, settings.door.tokens), host=settings.door.host, port=settings.door.port,
                           threads=THREADS, ident="", _dispatcher=dispatcher)

    def end(*_: object) -> None:
        orders.end()
        sys.exit(0)  # waitress closes

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    live.start()
    serve_metrics(settings.endpoint, METRICS, lambda: {"ok": True, "kafka": live.answers})
    log.info("open", host=settings.door.host, port=settings.door.port, tokens=bool(settings.door.tokens))
    server.run()
    sys.stdout.flush()
    os._exit(0)  # a thread that waits for Kafka must not hold the process up


if __name__ == "__main__":
    main()
