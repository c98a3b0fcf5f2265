"""Every panel asks a question and says what its answer means, and the checked-in files are what the code says."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from automl_stream.exported_metrics import EXPORTED
from grafana.generate import contents
from grafana.shipped import DIRECTORY, NAMES, shipped

DOCS = Path(__file__).parents[2] / "docs"
RULES = "".join(path.read_text() for path in DIRECTORY.with_name("rules").glob("*.yml"))
OTHERS = {"up", "ALERTS", "process_resident_memory_bytes", "process_cpu_seconds_total"}  # Prometheus's own
BOARDS = dict(zip(NAMES, shipped(), strict=True))
PANELS = {f"{name}: {panel['title']}": panel for name, board in BOARDS.items() for panel in board["panels"]
          if panel["type"] != "row"}


def test_the_files_are_what_the_code_says() -> None:
    written = {path.name: path.read_bytes() for path in DIRECTORY.iterdir()}
    assert written == contents(), "`python -m grafana` writes the dashboards' files anew"


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_asks_a_question_and_says_what_its_answer_means(name: str) -> None:
    panel = PANELS[name]
    assert panel["title"].endswith("?")
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert panel["targets"]


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_links_to_pages_that_exist(name: str) -> None:
    links = [link["url"] for link in PANELS[name]["links"]]
    assert links
    for url in links:
        page = DOCS / f"{url.removeprefix('${docs}/').removesuffix('.html')}.md"
        assert page.is_file(), f"{page} is missing"


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_leaves_data_source_and_pipeline_to_the_variables(name: str) -> None:
    for source in (PANELS[name], *PANELS[name]["targets"]):
        assert source["datasource"]["uid"] in ("${prometheus}", "${postgres}")
    for target in PANELS[name]["targets"]:
        selectors = re.findall(r"\{([^{}]*)\}", target.get("expr", ""))
        assert all('pipeline="$pipeline"' in selector for selector in selectors)
        assert selectors or '"${pipeline:raw}"' in target["rawSql"]


def test_every_metric_is_exported_or_recorded() -> None:
    exported = {definition.name for service in EXPORTED.values() for definition in service().definitions}
    recorded = set(re.findall(r"record: (\S+)", RULES))
    asked = {name for panel in PANELS.values() for target in panel["targets"]
             for name in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{", target.get("expr", ""))}
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked - recorded - OTHERS}
    assert series <= exported, series - exported


def test_a_panel_leads_to_every_alerts_runbook() -> None:
    linked = {link["url"] for panel in PANELS.values() for link in panel["links"]}
    alerts = re.findall(r"alert: (\S+)", RULES)
    assert alerts
    assert [alert for alert in alerts if f"${{docs}}/runbooks/{alert}.html" not in linked] == []


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(name: str) -> None:
    boxes = [tuple(panel["gridPos"][side] for side in "xywh") for panel in BOARDS[name]["panels"]]
    assert all(x >= 0 and x + width <= 24 for x, _, width, _ in boxes)
    assert not [(a, b) for a, b in combinations(boxes, 2) if overlap(a, b)]


def overlap(one: Any, other: Any) -> bool:
    return all(one[side] < other[side] + other[side + 2] and other[side] < one[side] + one[side + 2] for side in (0, 1))


def test_every_dashboard_has_its_own_uid_that_grafana_takes() -> None:
    uids = [board["uid"] for board in BOARDS.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)
