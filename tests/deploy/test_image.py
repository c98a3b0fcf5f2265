"""An image holds what its service needs, and gives it no rights."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from typing import Any

import pytest

from tests.deploy.conftest import ROOT, TOOLS, run_tool
from tests.deploy.imports import foreign_imports

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
IMAGES = ("mlflow", "setup", "score", "monitor", "labels", "record", "ingestion", "prediction")


@cache
def installed_with(extras: str) -> set[str]:
    """Names of the distributions that the lock file gives an installation with these extras."""
    uv = shutil.which("uv") or str(TOOLS / "uv")
    chosen = [part for extra in extras.split() for part in ("--extra", extra)]
    command = [uv, "export", "--locked", "--no-dev", "--no-emit-project", "--no-hashes", "--no-annotate", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return {same(re.split(r"[=\[ ]", line)[0]) for line in done.stdout.splitlines() if re.match(r"[A-Za-z]", line)}


def same(distribution: str) -> str:
    """A name in the one of its spellings that compares."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def lacking(module: str, extras: str) -> set[str]:
    """What a module imports at its start and an installation with these extras has not."""
    owners = packages_distributions()
    there = installed_with(extras)
    return {name for name in foreign_imports(module) - set(sys.stdlib_module_names)
            if not set(map(same, owners.get(name, ()))) & there}


@pytest.mark.parametrize("name", IMAGES)
def test_the_extras_of_an_image_hold_what_its_module_imports(services: Mapping[str, Any], name: str) -> None:
    arguments = services[name]["build"]["args"]
    assert lacking(arguments["MODULE"], arguments["EXTRAS"]) == set()


def test_an_extra_that_is_left_out_is_noticed() -> None:
    assert lacking("stream_apps.record", "score") == {"psycopg"}


def test_every_image_that_is_built_is_looked_at(services: Mapping[str, Any]) -> None:
    assert {name for name, service in services.items() if "build" in service} == set(IMAGES)


def test_hadolint_finds_nothing() -> None:
    done = run_tool("hadolint", "deploy/Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_has_a_user_without_rights_no_tools_and_a_health_check() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*\n.*/healthz", last, re.MULTILINE)
    assert not re.search(r"\b(uv|pip|hatchling|python3-venv|gcc|curl)\b", last)


def test_every_package_of_the_wheel_reaches_the_build_and_no_secret_does() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    left_out = {line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if not line.startswith("#")}
    assert left_out.isdisjoint({*wheel["packages"], "README.md", "deploy", "pyproject.toml", "uv.lock"})
    assert {".*", "shared", "tests"} <= left_out  # .env, .git, .venv


def test_what_builds_an_image_is_pinned_with_hashes() -> None:
    tools = (ROOT / "deploy" / "tools.txt").read_text("utf-8")
    names = re.findall(r"^[\w-]+==\S+", tools, re.MULTILINE)
    assert re.findall(r"^([\w-]+==\S+) \\\n    --hash=sha256:", tools, re.MULTILINE) == names
    (hatchling,) = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    assert hatchling in names
