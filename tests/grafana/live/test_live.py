"""A real Prometheus on a real stack: everything promised is there, every question has an answer, faults are told."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from math import isnan
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import msgspec
import psycopg
import pytest
from confluent_kafka import Producer

from automl_stream.exported_metrics import EXPORTED
from automl_stream.local_stack.ports import LOOPBACK
from automl_stream.local_stack.stack import choose_addresses
from doors.settings import Limits
from schemas.codec import encode
from schemas.messages import Artifact, ModelAnnouncement
from schemas.topics import COMMANDS, EVENTS, LABELS, MODEL_UPDATES, PREDICTIONS, topic_name
from telemetry.metrics import Definition
from tests.grafana.live.conftest import EVENT, NAME, ROOT, Running, go_on, processes, value
from tests.grafana.rules.test_rules import ALERTS, rules, series
from tests.wait import wait_for

pytestmark = pytest.mark.timeout(900)
GRACE_SECONDS = 30  # after an alert's `for`
CALLERS, CALLS_PER_SECOND = 8, 4
FORGE = f"""
insert into {NAME}.audit select %s, 0, coalesce(max(position), -1) + 1, 0, null, 'forged', 'forged'
from {NAME}.audit where topic = %s and partition = 0
"""
VARIABLES = {"$pipeline": NAME, "${pipeline}": NAME, "$__rate_interval": "1m", "$__range": "5m", "$__interval": "15s"}


def test_every_metric_that_is_promised_is_exported_by_its_running_service_and_no_other(running: Running) -> None:
    seen = set()
    for file in (running.home / "prometheus" / "targets").glob("*.json"):
        (target,) = msgspec.json.decode(file.read_bytes())
        service = target["labels"]["service"]
        promised = {definition.name: definition for definition in EXPORTED[service]().definitions}
        with urlopen(f"http://{target['targets'][0]}/metrics", timeout=30) as answer:
            page = answer.read().decode()
        kinds = dict(re.findall(r"^# TYPE (automl_stream_\S+) (\S+)$", page, re.MULTILINE))
        assert kinds == {name: "gauge" if definition.kind == "info" else definition.kind
                         for name, definition in promised.items()}
        labels_are_bounded(page, promised)
        seen.add(service)
    assert seen == EXPORTED.keys()


def labels_are_bounded(page: str, promised: dict[str, Definition]) -> None:
    of = {name: definition for definition in promised.values() for name in series(definition.name, definition.kind)}
    for name, text in re.findall(r"^(automl_stream_\w+)\{(.+)\} \S+$", page, re.MULTILINE):
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', text))
        labels.pop("le", None)
        assert labels.keys() == of[name].labels.keys(), name
        for label, found in labels.items():
            bound = of[name].labels[label]
            assert isinstance(bound, str) or found in bound, (name, label, found)


def test_prometheus_can_evaluate_every_rule(running: Running) -> None:
    for rule in rules():
        running.ask(rule["expr"])
    for rule in rules():
        if "record" in rule:
            assert running.ask(rule["record"]), rule["record"]


def panels() -> Iterator[tuple[str, str]]:
    """Title and expression of every panel's query to Prometheus."""
    for file in sorted((ROOT / "grafana" / "dashboards").glob("*.json")):
        waiting = list(msgspec.json.decode(file.read_bytes())["panels"])
        for panel in waiting:
            waiting += panel.get("panels", [])
            for target in panel.get("targets", []):
                if "expr" in target:
                    yield f"{file.stem}: {panel['title']}", target["expr"]


def test_every_question_of_every_dashboard_has_an_answer(running: Running) -> None:
    unanswered = []
    for title, expression in panels():
        for variable, text in VARIABLES.items():
            expression = expression.replace(variable, text)  # noqa: PLW2901 - one after the other
        try:
            found = running.ask(expression)
        except HTTPError as error:
            found = [error.read().decode()]
            unanswered.append((title, expression, found))
            continue
        if not any(not isnan(float(sample["value"][1])) for sample in found):
            unanswered.append((title, expression, found))
    assert not unanswered, "\n".join(map(str, unanswered))
    assert list(panels())


def test_a_stack_without_a_fault_alerts_of_nothing_but_drift(running: Running) -> None:
    assert {sample["metric"]["alertname"] for sample in running.ask('ALERTS{alertstate="firing"}')} <= {"DriftAlert"}


def test_each_fault_fires_its_alert_in_time_and_alertmanager_tells_its_receiver(running: Running) -> None:
    fires_in_time(running, {
        "ModelRolledBack": lambda: order(running, "rollback"),
        "PostgresAway": lambda: (stop(running, "postgres"), write(running, EVENTS, b"poison")),
        "RegistryAway": lambda: None,  # the trainer's store is in PostgreSQL
    })
    go_on(running.home, "postgres")
    with callers(running), slow_clients(running):
        fires_in_time(running, {
            "ServiceRestarting": lambda: [kill(running, f"{NAME}-record") for _ in range(4)],
            "DoorRefuses": lambda: None,
            "RowsLate": lambda: write(running, EVENTS, *map(late, range(400))),
            "DeadLetters": lambda: write(running, EVENTS, *[b"poison"] * 400),
            "LabelsRefused": lambda: write(running, LABELS, *[b"poison"] * 400),
            "PredictionsRefused": lambda: write(running, PREDICTIONS, b"poison"),
            "ModelRefused": lambda: write(running, MODEL_UPDATES, unloadable(running)),
            "AuditContradicted": lambda: (forge(running), order(running, "pause")),
            "TrainerPaused": lambda: None,
        })
    fires_in_time(running, {
        "ScoreWorkersDown": lambda: stop(running, f"{NAME}-score-0"),
        "TrainerDown": lambda: stop(running, f"{NAME}-trainer"),
        "ServiceDown": lambda: stop(running, f"{NAME}-monitor"),
    })
    with callers(running):
        fires_in_time(running, {
            "KafkaAway": lambda: stop(running, "kafka"),
            "DoorNotReady": lambda: None,
            "DoorErrors": lambda: None,
        })
    told = wait_for(lambda: running.notified.get("ModelRefused"), 60)
    assert (told["status"], told["receiver"]) == ("firing", "on-call")
    assert told["annotations"] == {
        "summary": f"An announced model of {NAME} cannot be loaded; the one before it serves on.",
        "runbook": "docs/runbooks/ModelRefused.md"}
    assert wait_for(lambda: running.notified.get("DeadLetters"), 60)["receiver"] == "team"


def fires_in_time(running: Running, faults: dict[str, Callable[[], object]]) -> None:
    """Provoke all; each alert fires within its `for` and a grace from then on."""
    deadlines = {}
    for alert, provoke in faults.items():
        provoke()
        deadlines[alert] = time.monotonic() + seconds(ALERTS[alert].get("for", "0s")) + GRACE_SECONDS
    silent = deadlines.keys()
    while silent := silent - {sample["metric"]["alertname"] for sample in running.ask('ALERTS{alertstate="firing"}')}:
        assert time.monotonic() < min(deadlines[alert] for alert in silent), f"not in time: {sorted(silent)}"
        time.sleep(0.2)


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3_600}[duration[-1]]


def write(running: Running, topic: Any, *values: bytes) -> None:
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
def callers(running: Running) -> Iterator[None]:
    """Several who post events again and again, whatever the door answers."""
    over = threading.Event()

    def post(caller: int) -> None:
        for number in count():
            running.post(running.ports.ingestion, "/events", EVENT | {"event_id": f"caller-{caller}-{number}"})
            if over.wait(CALLERS / CALLS_PER_SECOND):
                return

    with ThreadPoolExecutor(CALLERS) as pool:
        posting = [pool.submit(post, caller) for caller in range(CALLERS)]
        try:
            yield
        finally:
            over.set()
    for caller in posting:
        caller.result()


@contextmanager
def slow_clients(running: Running) -> Iterator[None]:
    """As many requests under way as one may have, whose bodies do not come; anew before the door ends them."""
    over, limits = threading.Event(), Limits()
    head = (f"POST /events HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer {running.token()}\r\n"
            "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n").encode()

    def hold() -> None:
        door = (LOOPBACK, running.ports.ingestion)
        while not over.is_set():
            with ExitStack() as connections:
                for _ in range(limits.requests_each):
                    connections.enter_context(socket.create_connection(door)).sendall(head)
                over.wait(limits.body_seconds / 2)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        try:
            yield
        finally:
            over.set()
    holding.result()
