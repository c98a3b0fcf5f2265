"""The compose file, as Docker Compose reads it: nothing starts before what it needs, and nothing has rights."""

import ast
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from doors.settings import read_door_settings
from stream_apps.settings import database_url
from tests.deploy.conftest import ROOT, SECRETS, compose_config

FOREIGN = {"alertmanager", "grafana", "kafka", "postgres", "prometheus"}  # not built from this repository
ONCE = {"setup", "first-model"}
READ_BY_OTHERS = {"PGPASSWORD"}  # by libpq
OUR_PACKAGES = ("automl_stream", "console", "doors", "kafka_access", "producers", "schema_registry", "stream_apps",
                "telemetry", "trainer")


@pytest.fixture(scope="module")
def variables_read() -> set[str]:
    """Every text in our code that could be a variable's name."""
    files = [file for package in OUR_PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {node.value for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@pytest.mark.parametrize("secret", SECRETS)
def test_without_a_secret_nothing_starts_and_the_secret_is_named(secret: str) -> None:
    done = compose_config(**{name: "x" for name in SECRETS if name != secret})
    assert done.returncode != 0
    assert f"required variable {secret} is missing a value" in done.stderr


def test_the_example_of_settings_holds_no_secret_and_no_image_that_moves() -> None:
    settings = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text("utf-8").splitlines()
                    if line and not line.startswith("#"))
    assert not set(settings) & set(SECRETS)
    images = {name: image for name, image in settings.items() if name.endswith("_IMAGE")}
    assert images
    assert all(":" in image and not image.endswith(":latest") for image in images.values())


def test_every_container_is_read_only_without_rights_and_bounded(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service), name
        assert ("user" in service) == (name in FOREIGN), name  # ours have theirs in the image
        assert service.get("user") not in {"root", "0"}, name


def test_ports_are_published_to_this_machine_only(services: Mapping[str, Any]) -> None:
    published = {(port["published"], port["host_ip"]) for service in services.values()
                 for port in service.get("ports", ())}
    assert {host for _, host in published} == {"127.0.0.1"}
    assert {port for port, _ in published} == {"3000", "5000", "8001", "8002", "8050", "9090", "9093"}


def test_what_is_not_ours_says_when_it_is_healthy_and_is_waited_for(services: Mapping[str, Any]) -> None:
    for name in FOREIGN | {"mlflow"}:
        assert services[name]["healthcheck"]["test"], name
    waits = {name: {other: need["condition"] for other, need in service.get("depends_on", {}).items()}
             for name, service in services.items()}
    assert waits["setup"] == {"kafka": "service_healthy", "postgres": "service_healthy"}
    assert waits["first-model"] == {"setup": "service_completed_successfully", "mlflow": "service_healthy"}
    for name in set(services) - FOREIGN - ONCE - {"mlflow"}:
        assert waits[name] == {"first-model": "service_completed_successfully"}, name


def test_what_runs_once_is_not_started_for_ever_and_what_serves_is(services: Mapping[str, Any]) -> None:
    for name, service in services.items():
        assert service["restart"].startswith("on-failure" if name in ONCE else "unless-stopped"), name


def test_every_variable_that_a_service_is_given_is_one_that_it_reads(
        services: Mapping[str, Any], variables_read: set[str]) -> None:
    for name in set(services) - FOREIGN - {"mlflow"}:
        given = set(services[name]["environment"])
        assert given - READ_BY_OTHERS <= variables_read, name


def test_what_the_services_are_given_can_be_read(services: Mapping[str, Any]) -> None:
    for service in services.values():
        environment = service.get("environment", {})
        assert database_url(environment) == environment.get("DATABASE_URL")
    door = services["ingestion"]["environment"]
    assert read_door_settings(door, "AUTOML_STREAM_INGESTION_PORT", 8001).tokens


def test_prometheus_scrapes_every_service_under_the_name_that_rules_and_dashboards_know(
        services: Mapping[str, Any]) -> None:
    (job,) = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    scraped = {target: one["labels"] for one in job["static_configs"] for target in one["targets"]}
    ours = set(services) - FOREIGN - ONCE - {"mlflow"}
    assert scraped == {f"{name}:9100": {"pipeline": "payments", "service": name} for name in ours}


def test_every_file_that_is_mounted_is_there(services: Mapping[str, Any]) -> None:
    binds = [volume["source"] for service in services.values() for volume in service.get("volumes", ())
             if volume["type"] == "bind"]
    assert binds
    for source in binds:
        assert (ROOT / source).exists(), source
