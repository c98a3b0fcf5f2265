"""Every rule is sound and tested, and every alert has a runbook. That its commands exist: tests/docs."""

import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from automl_stream.exported_metrics import EXPORTED

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
FILES = sorted((ROOT / "grafana" / "rules").glob("*.yml"))
TESTS = sorted(Path(__file__).parent.glob("*.yml"))
SECONDS = {"10m": 600, "1h": 3600}


def rules() -> list[dict[str, Any]]:
    return [rule for file in FILES for group in msgspec.yaml.decode(file.read_bytes())["groups"]
            for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)],  # noqa: S607 - CI installs it
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    said = promtool("check", "rules", "--lint=all", *FILES)
    assert sum(map(int, re.findall(r"SUCCESS: (\d+) rules found", said))) == len(rules())


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_each_alert_is_silent_where_it_should_be_and_fires_where_it_must(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def test_every_alert_has_a_test_in_which_it_is_silent_and_one_in_which_it_fires() -> None:
    silent, firing = set(), set()
    for file in TESTS:
        for test in msgspec.yaml.decode(file.read_bytes())["tests"]:
            for case in test["alert_rule_test"]:
                (firing if case.get("exp_alerts") else silent).add(case["alertname"])
    assert silent == firing == ALERTS.keys()


def test_every_series_that_a_rule_asks_for_is_exported_or_recorded() -> None:
    exported = {name for metrics in EXPORTED.values() for definition in metrics().definitions
                for name in series(definition.name, definition.kind)}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for rule in rules() for name in re.findall(r"[\w:]*automl_stream_[\w:]+", rule["expr"])}
    assert asked <= exported | recorded
    assert recorded


def test_an_alert_of_a_single_occurrence_tells_of_one_before_the_first_scrape_too() -> None:
    young = "{by} ({counter} and on (pipeline, instance) time() - process_start_time_seconds < {seconds}) > 0"
    once = re.compile(r"(?P<by>sum by \([^)]+\)) \(increase\((?P<counter>\S+)\[(?P<window>\w+)\]\)\) > 0")
    found = {name: match for name, rule in ALERTS.items() if (match := once.match(rule["expr"]))}
    assert len(found) > 5
    for name, match in found.items():
        also = " ".join(match.string[match.end():].split())
        assert also == "or " + young.format(**match.groupdict(), seconds=SECONDS[match["window"]]), name


def series(name: str, kind: str) -> list[str]:
    return [f"{name}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [name]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_how_bad_it_is_and_has_a_runbook(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "runbook"}
    page = ROOT / rule["annotations"]["runbook"]
    assert page == RUNBOOKS / f"{alert}.md"
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    assert headings == [alert, "Look", "Do", "It clears"]
    assert f"[{alert}]({alert}.md)" in (RUNBOOKS / "README.md").read_text()


def test_no_runbook_is_left_over() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == ALERTS.keys() | {"README"}
