"""What the tools of a deployment make of the files: Docker Compose of the compose file, kustomize of the manifests."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
SECRETS = ("POSTGRES_PASSWORD", "POSTGRES_ADMIN_PASSWORD", "POSTGRES_WRITER_PASSWORD", "POSTGRES_READER_PASSWORD",
           "POSTGRES_MLFLOW_PASSWORD", "GRAFANA_PASSWORD", "HTTP_TOKENS")


def run_tool(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools of the development group, in the repository's root."""
    return subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False,
                          timeout=60, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | environment)


def compose_config(**environment: str) -> subprocess.CompletedProcess[str]:
    return run_tool("docker-compose", "--env-file", ".env.example", "config", "--format", "json", **environment)


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    """The services of the compose file, as Docker Compose understands them."""
    done = compose_config(**{name: f"secret-of-{name}" for name in SECRETS})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


@pytest.fixture(scope="session")
def manifests() -> list[dict[str, Any]]:
    """Every resource of the example overlay."""
    done = run_tool("kubectl", "kustomize", "deploy/kubernetes/overlays/example")
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="session")
def workloads(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The resources that make pods, by their name."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in {"Deployment", "Job", "StatefulSet"}}


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    return workload["spec"]["template"]["spec"]


def container_of(workload: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(workload)["containers"]
    return container
