"""The process around an agent: settings, application, start, stop, crash."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import faust
import msgspec
import uvloop
from faust.sensors.base import Sensor
from faust.sensors.monitor import Monitor
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.worker import Worker
from yarl import URL

from kafka_access.access import KafkaAccess
from stream_apps.transport import Chunking, ExpiredHook, StreamApp
from stream_apps.transport.driver import exit_hard_after
from stream_apps.transport.fetch import RowReader
from telemetry.logs import RepeatLimit

METADATA_MS = 5_000  # how soon partitions that a topic was given are noticed
LOAD_SECONDS = 600.0  # a monitor reads all window counts
YOUNG_OBJECTS = 50_000  # made since the last look for cycles, before the next
STOP_SECONDS = 15.0  # drain, commit, leave the group; whatever takes longer hangs


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker talks to Kafka. Times are seconds unless named otherwise."""

    kafka: KafkaAccess
    group: str
    instance_id: str | None = None  # unique and stable: a restart within the session keeps its partitions
    chunk_rows: int = 4000
    fetch_bytes: int = 1 << 20
    commit_interval: float = 0.5
    session_timeout: float = 10.0
    heartbeat_interval: float = 1.0
    rebalance_timeout: float = 20.0
    request_timeout: float = 30.0
    drain_seconds: float = 3.0


class QuietMonitor(Monitor):
    """Faust's monitor without its bookkeeping per message: the services export their own metrics, per chunk."""

    on_message_in = Sensor.on_message_in
    on_message_out = Sensor.on_message_out
    on_send_completed = Sensor.on_send_completed
    on_send_initiated = Sensor.on_send_initiated
    on_stream_event_in = Sensor.on_stream_event_in
    on_stream_event_out = Sensor.on_stream_event_out

    def track_tp_end_offset(self, tp: TP, offset: int) -> None:
        """Nothing: this transport asks for no end offsets."""


def make_app(name: str, settings: WorkerSettings, on_expired: ExpiredHook | None = None) -> StreamApp:
    """Application `name` (Kafka's client id) in the consumer group of `settings`, reading through the transport.

    Raises:
        UnusableAccess: when certificate or key cannot be loaded.
    """
    return StreamApp(
        settings.group,
        chunking=Chunking(
            rows=settings.chunk_rows, drain_seconds=settings.drain_seconds
        ),
        reader=RowReader(settings.kafka, group=settings.group, fetch_bytes=settings.fetch_bytes),
        on_expired=on_expired,
        broker=";".join(f"kafka://{server.strip()}" for server in settings.kafka.servers.split(",")),
        broker_client_id=name,
        broker_credentials=kafka_credentials(settings.kafka),
        broker_commit_interval=settings.commit_interval,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.heartbeat_interval,
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_request_timeout=settings.request_timeout,
        consumer_group_instance_id=settings.instance_id,
        canonical_url=str(URL("http://worker") / settings.instance_id) if settings.instance_id else None,
        consumer_metadata_max_age_ms=METADATA_MS,
        stream_buffer_maxsize=4,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        web_enabled=False,
        worker_redirect_stdouts=False,
        agent_supervisor="mode.CrashingSupervisor",
        Monitor=QuietMonitor,
    )


def kafka_credentials(kafka: KafkaAccess) -> CredentialsT | None:
    """Faust's credentials; None for plaintext.

    Raises:
        UnusableAccess: when certificate or key cannot be loaded.
    """
    context = kafka.ssl_context()
    if kafka.sasl:
        return faust.SASLCredentials(username=kafka.username, password=kafka.password, ssl_context=context,
                                     mechanism=kafka.mechanism)
    return None if context is None else faust.SSLCredentials(context)


async def die(app: StreamApp, exc: BaseException) -> None:
    """End the process because of `exc`: rows in flight are not committed and will be read again."""
    await app.crash(exc)


def when_assigned(app: StreamApp, load: Callable[[], Awaitable[None]]) -> None:
    """Load the application's state when partitions were assigned and before their rows flow.

    Whatever goes wrong ends the process. Faust would go on without a word: a member of its group that never reads.
    """

    async def on_assigned(*_: object, **__: object) -> None:
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                await load()
        except BaseException as error:
            if not app.should_stop:
                await die(app, error)
            raise

    app.on_rebalance_complete.connect(on_assigned, weak=False)


class FastWorker(Worker):
    """Faust's worker without its fixed waits at the end, one second in each of two places."""

    def _gather_all(self) -> None:
        for task in asyncio.all_tasks(loop=self.loop):
            task.cancel()

    async def _sentinel_task(self) -> None:
        await asyncio.sleep(0)

    def _schedule_shutdown(self, signal: Any) -> None:
        exit_hard_after(STOP_SECONDS)
        super()._schedule_shutdown(signal)

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:
        """Limit how often the Kafka client repeats itself."""
        super().on_setup_root_logger(logger, level)
        for handler in logger.handlers:
            handler.addFilter(RepeatLimit())


def run(app: StreamApp) -> NoReturn:
    """Run until SIGTERM or SIGINT (exit code 0) or a crash (another)."""
    uvloop.install()
    gc.collect()
    gc.freeze()  # what is loaded by now lives as long as the process: keep the collector off it
    gc.set_threshold(YOUNG_OBJECTS)  # a chunk makes thousands of objects, and no cycles
    configured = bool(logging.getLogger().handlers)
    worker = FastWorker(app, loglevel="WARN", quiet=True, override_logging=not configured)
    worker.spinner = None  # it writes terminal codes into logs
    worker.execute_from_commandline()
