"""A real Prometheus on a real stack: everything promised is there, every question has an answer, faults are told."""

import re
from collections.abc import Iterator
from math import isnan
from urllib.error import HTTPError
from urllib.request import urlopen

import msgspec
import pytest

from automl_stream.exported_metrics import EXPORTED
from telemetry.metrics import Definition
from tests.chaos.alerts import provoke
from tests.grafana.live.stack import NAME, ROOT, Running
from tests.grafana.rules.test_rules import rules, series
from tests.wait import wait_for

pytestmark = pytest.mark.timeout(900)
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
    assert provoke(running, full=False)  # the others: `make chaos`
    told = wait_for(lambda: running.notified.get("ModelRefused"), 60)
    assert (told["status"], told["receiver"]) == ("firing", "on-call")
    assert told["annotations"] == {
        "summary": f"An announced model of {NAME} cannot be loaded; the one before it serves on.",
        "runbook": "docs/runbooks/ModelRefused.md"}
    assert wait_for(lambda: running.notified.get("DeadLetters"), 60)["receiver"] == "team"
