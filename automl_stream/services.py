"""The services of a pipeline, as the supervisor runs them."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from automl_stream.local_stack.errors import ServiceFailed
from automl_stream.local_stack.ports import DOORS_APART, LOOPBACK, METRICS_PORTS, Ports, listens, require_free
from automl_stream.local_stack.preflight import require_libgomp
from automl_stream.local_stack.prometheus import Target, add_target, forget_targets
from automl_stream.local_stack.secret import kept_secret
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.stack import Addresses
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.topics import create_topics
from drift.detectors.detector import require_detectors
from schemas.pipeline import Pipeline, load_pipeline
from stream_apps.migrations.migrate import migrate

SINGLE = {
    "monitor": "stream_apps.monitor",
    "labels": "stream_apps.labels",
    "record": "stream_apps.record",
    "trainer": "trainer",
}
DOORS = {"ingestion": "producers.api", "prediction": "stream_apps.predict"}
"""There is one of these, too; they answer HTTP, on the port of their name."""
KEPT_TOKEN = "http.token"  # noqa: S105 - a file's name


class PipelineServices(msgspec.Struct, frozen=True, kw_only=True):
    """What one pipeline runs. Its metrics ports: the services there is one of, then the score workers. `state`: where
    they keep what concerns this machine alone; `tokens`: settings of the HTTP doors' tokens, None: no door opens."""

    file: Path
    pipeline: Pipeline
    addresses: Addresses
    ports: Ports
    state: Path
    tokens: Mapping[str, str] | None = None

    def single(self) -> list[Service]:
        """The services there is one of."""
        services = [self._service(name, module, port) for port, (name, module) in enumerate(SINGLE.items())]
        if self.tokens is None:
            return services
        return services + [self._door(name, module, port) for port, (name, module) in enumerate(DOORS.items(),
                                                                                               len(SINGLE))]

    def doors(self) -> dict[str, str]:
        """Address of each HTTP door by its service's name."""
        if self.tokens is None:
            return {}
        return {f"{self.pipeline.name}-{name}": f"http://{LOOPBACK}:{getattr(self.ports, name)}" for name in DOORS}

    def score_worker(self, number: int) -> Service:
        """Score worker `number`, from 0: its instance is stable, so that a restart keeps its partitions."""
        service = self._service(f"score-{number}", "stream_apps.score", len(SINGLE) + len(DOORS) + number)
        return msgspec.structs.replace(service, env={**service.env, "AUTOML_STREAM_INSTANCE": str(number)})

    def launch(self, supervisor: Supervisor, service: Service) -> None:
        """Start one of them without waiting.

        Raises:
            PortTaken: when its metrics port, or that of its door, is not free.
        """
        (first,) = self.ports.of("metrics")
        number = int(service.env["METRICS_PORT"])
        require_free(msgspec.structs.replace(first, number=number, purpose=f"the metrics of {service.name}"))
        for port in self.ports.of(*DOORS):
            if port.variable in service.env:
                require_free(port)
        supervisor.launch(service, settled=True)
        kind, _, _ = service.name.removeprefix(f"{self.pipeline.name}-").partition("-")
        add_target(supervisor.home, Target(instance=service.name, pipeline=self.pipeline.name, service=kind,
                                           port=number))

    def _service(self, name: str, module: str, port: int) -> Service:
        settings = {
            "AUTOML_STREAM_PIPELINE": str(self.file.absolute()),
            "METRICS_PORT": str(self.ports.metrics + port),
            "AUTOML_STREAM_STATE": str(self.state),
            "OMP_NUM_THREADS": "1",  # each service owns a share of the machine, not all of it
        }
        return Service(name=f"{self.pipeline.name}-{name}", command=(sys.executable, "-m", module),
                       env=self.addresses.environment() | settings)

    def _door(self, name: str, module: str, metrics: int) -> Service:
        service, (port,) = self._service(name, module, metrics), self.ports.of(name)
        env = {**service.env, **(self.tokens or {}), port.variable: str(port.number)}
        return msgspec.structs.replace(service, env=env, ready=partial(listens, port.number))


def launch_console(supervisor: Supervisor, files: Sequence[Path], addresses: Addresses, ports: Ports,
                   tokens: Mapping[str, str]) -> str:
    """Start the console of all pipelines without waiting; returns its address.

    Raises:
        PortTaken: when its port, or that of its metrics, is not free.
    """
    door, metrics = ports.of("console", "console_metrics")
    for port in (door, metrics):
        require_free(port)
    env = {
        "AUTOML_STREAM_PIPELINES": os.pathsep.join(str(file.absolute()) for file in files),
        "AUTOML_STREAM_HOME": str(supervisor.home.absolute()),
        "KAFKA_BOOTSTRAP_SERVERS": addresses.kafka.servers,
        "DATABASE_URL": addresses.reader_database_url,
        "METRICS_PORT": str(metrics.number),
        door.variable: str(door.number),
    }
    supervisor.launch(Service(name="console", command=(sys.executable, "-m", "console"), env=env | dict(tokens),
                              ready=partial(listens, door.number)), settled=True)
    add_target(supervisor.home, Target(instance="console", pipeline="", service="console", port=metrics.number))
    return f"http://{LOOPBACK}:{door.number}"


def await_doors(supervisor: Supervisor, names: Iterable[str], report: Callable[[str], None]) -> None:
    """Wait until these services take connections; `report` hears of one that does not, the others serve without it.

    Raises:
        Ending: the supervisor was asked to end meanwhile.
    """
    for name in names:
        try:
            supervisor.await_ready(name)
        except ServiceFailed as failed:
            report(str(failed))


def door_tokens(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Settings of the doors' tokens: those that `environment` has already, else a token that this home keeps."""
    if any(environment.get(name) for name in ("AUTOML_STREAM_TOKENS", "AUTOML_STREAM_TOKENS_FILE")):
        return {}
    kept_secret(home / KEPT_TOKEN)
    return {"AUTOML_STREAM_TOKENS_FILE": str(home / KEPT_TOKEN)}


def load_pipelines(files: Sequence[Path]) -> dict[Path, Pipeline]:
    """Definition of each file.

    Raises:
        PipelineError: where one cannot be used.
    """
    return {file: load_pipeline(file) for file in files}


def launch_pipelines(
    supervisor: Supervisor, pipelines: Mapping[Path, Pipeline], addresses: Addresses, ports: Ports,
    score_workers: int = 1, tokens: Mapping[str, str] | None = None,
) -> list[PipelineServices]:
    """Create topics and tables and launch every service, without waiting; each serves metrics on a port of its own, and
    HTTP doors open where there are `tokens`.

    Raises:
        MissingLibrary: where LightGBM could not be loaded.
        DetectorsUnavailable: where a pipeline has detectors and their extra is not installed.
        TopicsDiffer: as create_topics.
        MigrationError: as migrate.
        PortTaken: where a port is not free.
    """
    if pipelines:
        require_libgomp()
    for pipeline in pipelines.values():
        require_detectors(pipeline.drift.detectors)
    forget_targets(supervisor.home)
    launched = []
    for place, (file, pipeline) in enumerate(pipelines.items()):
        create_topics(pipeline, addresses.kafka)
        migrate(addresses.database_url, pipeline.name)
        services = PipelineServices(
            file=file, pipeline=pipeline, addresses=addresses, state=supervisor.home / "state",
            tokens=tokens, ports=ports_of(place, ports))
        for service in (*map(services.score_worker, range(score_workers)), *services.single()):
            services.launch(supervisor, service)
        launched.append(services)
    return launched


def ports_of(place: int, ports: Ports) -> Ports:
    """Ports of the pipeline in this place, from 0."""
    doors = {name: getattr(ports, name) + place * DOORS_APART for name in DOORS}
    return msgspec.structs.replace(ports, metrics=ports.metrics + place * METRICS_PORTS, **doors)
