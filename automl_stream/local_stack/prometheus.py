"""Prometheus, where the machine has it: it scrapes the services of a home and evaluates the alert rules.

Each service that runs has a file in <home>/prometheus/targets, which Prometheus reads by itself (file_sd_configs); any
other Prometheus of this machine may read them, too.
"""

from __future__ import annotations

import functools
import shutil
import urllib.request
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

from automl_stream.local_stack.ports import LOOPBACK, require_free
from automl_stream.local_stack.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automl_stream.local_stack.ports import Port, Ports
    from automl_stream.local_stack.supervisor import Supervisor

NAME = "prometheus"
SCRAPE_SECONDS = 5

CONFIGURATION = """\
global:
  scrape_interval: {seconds}s
  scrape_timeout: {timeout}s
  evaluation_interval: {seconds}s
rule_files:
- {rules}/*.yml
alerting:
  alertmanagers:
  - static_configs:
    - targets: [{alertmanagers}]
scrape_configs:
- job_name: automl-stream
  file_sd_configs:
  - files: [{targets}/*.json]
    refresh_interval: {seconds}s
"""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A service to scrape. `instance`: its name in `status` and `logs`; `service`: that without pipeline and number."""

    instance: str
    pipeline: str
    service: str
    port: int


def is_installed() -> bool:
    """Return whether this machine has Prometheus."""
    return shutil.which(NAME) is not None


def launch_prometheus(supervisor: Supervisor, ports: Ports, environment: Mapping[str, str]) -> dict[str, str]:
    """Start Prometheus without waiting, where it is installed; return its address by its name.

    Alerts go to the Alertmanager that AUTOML_STREAM_ALERTMANAGER names (host:port), where it names one.

    Raises:
        PortTaken: when its port is not free.
    """
    if not is_installed():
        return {}
    (port,) = ports.of(NAME)
    alertmanager = environment.get("AUTOML_STREAM_ALERTMANAGER", "")
    supervisor.launch(prometheus_service(supervisor.home, port, alertmanager), settled=True)
    return {NAME: f"http://{LOOPBACK}:{port.number}"}


def prometheus_service(home: Path, port: Port, alertmanager: str = "") -> Service:
    """Return the server, its data in <home>/prometheus; it scrapes the home's targets."""
    place = home / NAME
    return Service(
        name=NAME,
        command=(
            NAME,
            f"--config.file={place / 'prometheus.yml'}",
            f"--storage.tsdb.path={place / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port.number}",
            "--log.level=warn",
        ),
        before=lambda: _prepare(home, port, alertmanager),
        ready=functools.partial(is_serving, f"http://{LOOPBACK}:{port.number}"),
    )


def is_serving(uri: str, timeout: float = 1.0) -> bool:
    """Return whether Prometheus answers at this address and has read what it had stored."""
    try:
        with urllib.request.urlopen(f"{uri}/-/ready", timeout=timeout) as response:  # noqa: S310
            return response.status == HTTPStatus.OK
    except OSError:
        return False


def rules() -> Path:
    """Return the folder of the recording and alert rules."""
    with resources.as_file(resources.files("grafana") / "rules") as folder:
        return folder


def add_target(home: Path, target: Target) -> None:
    """Let the service be scraped from now on; a reader never sees half of its file."""
    folder = _targets(home)
    folder.mkdir(parents=True, exist_ok=True)
    labels = {"pipeline": target.pipeline, "service": target.service, "instance": target.instance}
    partial = folder / f"{target.instance}.partial"
    partial.write_bytes(msgspec.json.encode([{"targets": [f"{LOOPBACK}:{target.port}"], "labels": labels}]))
    partial.replace(folder / f"{target.instance}.json")


def remove_target(home: Path, instance: str) -> None:
    """Let a service that was ended for good be scraped no more."""
    (_targets(home) / f"{instance}.json").unlink(missing_ok=True)


def forget_targets(home: Path) -> None:
    """Forget what an earlier stack ran."""
    shutil.rmtree(_targets(home), ignore_errors=True)


def _targets(home: Path) -> Path:
    return home / NAME / "targets"


def _prepare(home: Path, port: Port, alertmanager: str) -> None:
    require_free(port)
    _targets(home).mkdir(parents=True, exist_ok=True)
    (home / NAME / "prometheus.yml").write_text(CONFIGURATION.format(
        seconds=SCRAPE_SECONDS, timeout=SCRAPE_SECONDS - 1, rules=rules(), targets=_targets(home),
        alertmanagers=alertmanager))
