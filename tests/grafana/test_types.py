"""The dashboards' JSON type-checks against @grafana/schema, with TypeScript, strictly; a wrong field does not."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grafana.shipped import NAMES, shipped

PROJECT = Path(__file__).with_name("types")
VERSIONS = ("schema-12", "schema-13")
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checked-in project with what its lock file names."""
    place = tmp_path_factory.mktemp("types") / "project"
    shutil.copytree(PROJECT, place)
    npm = [str(shutil.which("npm")), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(npm, cwd=place, check=True, timeout=120)
    return place


def complaints(project: Path, dashboards: dict[str, dict[str, Any]], version: str) -> str:
    """What TypeScript has against the dashboards."""
    source = (PROJECT / "dashboard.ts").read_text().replace(VERSIONS[0], version)
    (project / "dashboard.ts").write_text(source)
    values = [f"export const {name}: Dashboard = {json.dumps(d)};" for name, d in dashboards.items()]
    (project / "check.ts").write_text("\n".join(["import type { Dashboard } from './dashboard';", *values]))
    done = subprocess.run([project / "node_modules" / ".bin" / "tsc", "--project", "."], cwd=project,
                          capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) == (done.stdout == ""), done.stderr
    return done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_every_dashboard_is_what_grafana_says_a_dashboard_is(project: Path, version: str) -> None:
    boards = {name.replace("-", "_"): board for name, board in zip(NAMES, shipped(), strict=True)}
    assert complaints(project, boards, version) == ""


def first(board: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(panel for panel in board["panels"] if panel["type"] == kind)


MUTATIONS: dict[str, Change] = {
    "a_field_that_no_dashboard_has": lambda d: d.update(folderId=1),
    "a_panel_that_nobody_drew": lambda d: first(d, "stat").update(type="statistic"),
    "an_option_that_the_panel_does_not_have": lambda d: first(d, "stat")["options"].update(graphmode="area"),
    "a_value_that_the_option_does_not_have": lambda d: first(d, "timeseries")["options"]["legend"].update(
        displayMode="grid"),
    "a_colour_mode_that_does_not_exist": lambda d: first(d, "timeseries")["fieldConfig"]["defaults"]["color"].update(
        mode="palette"),
    "a_style_of_another_panel": lambda d: first(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(
        cellHeight="sm"),
    "a_threshold_without_its_colour": lambda d: first(d, "stat")["fieldConfig"]["defaults"]["thresholds"]["steps"][
        0].pop("color"),
    "a_place_in_words": lambda d: first(d, "timeseries")["gridPos"].update(w="12"),
    "a_query_without_its_expression": lambda d: first(d, "stat")["targets"][0].pop("expr"),
    "a_variable_of_no_kind": lambda d: d["templating"]["list"][0].update(type="datasources"),
}


def test_a_wrong_field_is_found(project: Path) -> None:
    mutants = {}
    for name, change in MUTATIONS.items():
        mutants[name] = json.loads(json.dumps(shipped()[0]))
        change(mutants[name])
    found = complaints(project, mutants, VERSIONS[0])
    wrong = {int(line) for line in re.findall(r"^check\.ts\((\d+),", found, re.MULTILINE)}
    assert wrong == set(range(2, len(MUTATIONS) + 2)), found
