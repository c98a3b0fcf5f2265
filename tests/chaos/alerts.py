"""Faults, and who is told: each fires its alert in a real Prometheus within the alert's `for` and a grace.

A whole stack runs, as `up` starts it, with Prometheus and Alertmanager. The short form leaves out what takes minutes.

Run: python -m tests.chaos.alerts [--full] [--json]
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
from confluent_kafka import Producer
from msgspec import Struct

from automl_stream.local_stack.ports import LOOPBACK
from automl_stream.local_stack.stack import choose_addresses
from doors.settings import Limits
from schemas.codec import encode
from schemas.messages import Artifact, ModelAnnouncement
from schemas.topics import COMMANDS, EVENTS, LABELS, MODEL_UPDATES, PREDICTIONS, Topic, topic_name
from tests.chaos.command import run_in_place
from tests.grafana.live.stack import EVENT, NAME, Running, go_on, processes, running_stack, value
from tests.grafana.rules.test_rules import ALERTS
from tests.wait import wait_for

GRACE_SECONDS = 30  # after an alert's `for`
CALLERS, CALLS_PER_SECOND = 8, 4
FORGE = f"""
insert into {NAME}.audit select %s, 0, coalesce(max(position), -1) + 1, 0, null, 'forged', 'forged'
from {NAME}.audit where topic = %s and partition = 0
"""

Faults = dict[str, Callable[[], object]]
"""What provokes each alert; several may follow from one fault."""


class Fired(Struct, frozen=True, kw_only=True):
    """`seconds`: from the fault to the alert; `at_most`: its `for` and the grace."""

    seconds: float
    at_most: float


class Figures(Struct, frozen=True, kw_only=True):
    """By the alert's name."""

    alerts: dict[str, Fired]


def run(directory: Path, full: bool) -> Figures:
    """A stack of its own, and every fault.

    Raises:
        AssertionError: where an alert does not fire in time.
    """
    with running_stack(directory) as running:
        return Figures(alerts=provoke(running, full=full))


def provoke(running: Running, *, full: bool) -> dict[str, Fired]:
    """Some faults, or all; what they stop stands still afterwards. How long each alert took."""
    records: Faults = {
        "DeadLetters": lambda: write(running, EVENTS, *[b"poison"] * 400),
        "LabelsRefused": lambda: write(running, LABELS, *[b"poison"] * 400),
        "PredictionsRefused": lambda: write(running, PREDICTIONS, b"poison"),
        "ModelRefused": lambda: write(running, MODEL_UPDATES, unloadable(running)),
        "TrainerPaused": lambda: order(running, "pause"),
    }
    services: Faults = {"ServiceDown": lambda: stop(running, f"{NAME}-monitor")}
    if not full:
        return fires_in_time(running, records) | fires_in_time(running, services)
    fired = fires_in_time(running, {
        "ModelRolledBack": lambda: order(running, "rollback"),
        "PostgresAway": lambda: (stop(running, "postgres"), write(running, EVENTS, b"poison")),
        "RegistryAway": lambda: None,  # the trainer's store is in PostgreSQL
    })
    go_on(running.home, "postgres")
    with callers(running), slow_clients(running):
        fired |= fires_in_time(running, {
            "ServiceRestarting": lambda: [kill(running, f"{NAME}-record") for _ in range(4)],
            "DoorRefuses": lambda: None,
            "RowsLate": lambda: write(running, EVENTS, *map(late, range(400))),
            "AuditContradicted": lambda: forge(running),  # the next order contradicts it
            **records,
        })
    fired |= fires_in_time(running, {
        "ScoreWorkersDown": lambda: stop(running, f"{NAME}-score-0"),
        "TrainerDown": lambda: stop(running, f"{NAME}-trainer"),
        **services,
    })
    with callers(running):
        return fired | fires_in_time(running, {
            "KafkaAway": lambda: stop(running, "kafka"),
            "DoorNotReady": lambda: None,
            "DoorErrors": lambda: None,
        })


def fires_in_time(running: Running, faults: Faults) -> dict[str, Fired]:
    """Provoke all; each alert fires within its `for` and a grace from then on."""
    began, fired = {}, {}
    for alert, fault in faults.items():
        fault()
        began[alert] = time.monotonic()
    while silent := began.keys() - fired.keys():
        firing = {sample["metric"]["alertname"] for sample in running.ask('ALERTS{alertstate="firing"}')}
        for alert in silent:
            waited, at_most = time.monotonic() - began[alert], seconds(ALERTS[alert].get("for", "0s")) + GRACE_SECONDS
            if alert in firing:
                fired[alert] = Fired(seconds=round(waited, 1), at_most=at_most)
            assert waited < at_most, f"{alert} does not fire within {at_most:.0f} s"
        time.sleep(0.2)
    return fired


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3_600}[duration[-1]]


def write(running: Running, topic: Topic, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{running.ports.kafka}"})
    for record in values:
        producer.produce(topic_name(NAME, topic), record, b"key")
    assert producer.flush(30) == 0


def unloadable(running: Running) -> bytes:
    """An announcement of bytes that are not there."""
    nothing = Artifact(digest="0" * 64, size=10, offset=0)
    return encode(ModelAnnouncement(
        replaces=int(value(running, "automl_stream_champion_epoch")), version="none", model=nothing, profile=nothing,
        reason="test", decision_id="none", issued_at=0))


def stop(running: Running, service: str) -> None:
    """Let a service stand still, with everything that it started: it neither ends nor answers."""
    found = processes(running.home, service)
    assert found
    for process in found:
        process.suspend()


def late(number: int) -> bytes:
    """An event from before all others."""
    return json.dumps(EVENT | {"event_id": f"late-{number}", "ts": "2025-01-01T00:00:00Z"}).encode()


def order(running: Running, action: str) -> None:
    running.command("models", action, str(running.file), "--reason", "a test")


def forge(running: Running) -> None:
    """Take the place in the audit that the next order would have."""
    url = choose_addresses(running.home, running.ports, {}).database_url
    with psycopg.connect(url) as connection:
        connection.execute(FORGE, [topic_name(NAME, COMMANDS)] * 2)


def kill(running: Running, service: str) -> None:
    """Kill a service and wait until Prometheus has seen the next."""
    query = f'process_start_time_seconds{{instance="{service}"}}'
    before = value(running, query)
    processes(running.home, service)[0].kill()
    wait_for(lambda: value(running, query) not in (0.0, before), 60)


@contextmanager
def meanwhile(*work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Each in a thread of its own, until the event is set."""
    over = threading.Event()
    with ThreadPoolExecutor(len(work)) as pool:
        working = [pool.submit(one, over) for one in work]
        try:
            yield
        finally:
            over.set()
    for one in working:
        one.result()


def callers(running: Running) -> AbstractContextManager[None]:
    """Several who post events again and again, whatever the door answers."""

    def post(caller: int, over: threading.Event) -> None:
        for number in count():
            running.post(running.ports.ingestion, "/events", EVENT | {"event_id": f"caller-{caller}-{number}"})
            if over.wait(CALLERS / CALLS_PER_SECOND):
                return

    return meanwhile(*(partial(post, caller) for caller in range(CALLERS)))


def slow_clients(running: Running) -> AbstractContextManager[None]:
    """As many requests under way as one may have, whose bodies do not come; anew before the door ends them."""
    limits = Limits()
    head = (f"POST /events HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer {running.token()}\r\n"
            "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n").encode()

    def hold(over: threading.Event) -> None:
        while not over.is_set():
            with ExitStack() as connections:
                for _ in range(limits.requests_each):
                    door = socket.create_connection((LOOPBACK, running.ports.ingestion))
                    connections.enter_context(door).sendall(head)
                over.wait(limits.body_seconds / 2)

    return meanwhile(hold)


if __name__ == "__main__":
    run_in_place(run)
