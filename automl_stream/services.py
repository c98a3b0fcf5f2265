"""The services of a pipeline, as the supervisor runs them."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from automl_stream.local_stack.ports import METRICS_PORTS, Ports, require_free
from automl_stream.local_stack.preflight import require_libgomp
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


class PipelineServices(msgspec.Struct, frozen=True, kw_only=True):
    """What one pipeline runs. Its metrics ports: the services there is one of, then the score workers. `state`: where
    they keep what concerns this machine alone."""

    file: Path
    pipeline: Pipeline
    addresses: Addresses
    ports: Ports
    state: Path

    def single(self) -> list[Service]:
        """The services there is one of."""
        return [self._service(name, module, port) for port, (name, module) in enumerate(SINGLE.items())]

    def score_worker(self, number: int) -> Service:
        """Score worker `number`, from 0: its instance is stable, so that a restart keeps its partitions."""
        service = self._service(f"score-{number}", "stream_apps.score", len(SINGLE) + number)
        return msgspec.structs.replace(service, env={**service.env, "AUTOML_STREAM_INSTANCE": str(number)})

    def launch(self, supervisor: Supervisor, service: Service) -> None:
        """Start one of them without waiting.

        Raises:
            PortTaken: when its metrics port is not free.
        """
        (first,) = self.ports.of("metrics")
        number = int(service.env["METRICS_PORT"])
        require_free(msgspec.structs.replace(first, number=number, purpose=f"the metrics of {service.name}"))
        supervisor.launch(service, settled=True)

    def _service(self, name: str, module: str, port: int) -> Service:
        settings = {
            "AUTOML_STREAM_PIPELINE": str(self.file.absolute()),
            "METRICS_PORT": str(self.ports.metrics + port),
            "AUTOML_STREAM_STATE": str(self.state),
            "OMP_NUM_THREADS": "1",  # each service owns a share of the machine, not all of it
        }
        return Service(name=f"{self.pipeline.name}-{name}", command=(sys.executable, "-m", module),
                       env=self.addresses.environment() | settings)


def load_pipelines(files: Sequence[Path]) -> dict[Path, Pipeline]:
    """Definition of each file.

    Raises:
        PipelineError: where one cannot be used.
    """
    return {file: load_pipeline(file) for file in files}


def launch_pipelines(
    supervisor: Supervisor, pipelines: Mapping[Path, Pipeline], addresses: Addresses, ports: Ports,
    score_workers: int = 1,
) -> list[PipelineServices]:
    """Create topics and tables and launch every service, without waiting; each serves metrics on a port of its own.

    Raises:
        MissingLibrary: where LightGBM could not be loaded.
        DetectorsUnavailable: where a pipeline has detectors and their extra is not installed.
        TopicsDiffer: as create_topics.
        MigrationError: as migrate.
        PortTaken: where a metrics port is not free.
    """
    if pipelines:
        require_libgomp()
    for pipeline in pipelines.values():
        require_detectors(pipeline.drift.detectors)
    launched = []
    for place, (file, pipeline) in enumerate(pipelines.items()):
        create_topics(pipeline, addresses.kafka)
        migrate(addresses.database_url, pipeline.name)
        services = PipelineServices(
            file=file, pipeline=pipeline, addresses=addresses, state=supervisor.home / "state",
            ports=msgspec.structs.replace(ports, metrics=ports.metrics + place * METRICS_PORTS))
        for service in (*map(services.score_worker, range(score_workers)), *services.single()):
            services.launch(supervisor, service)
        launched.append(services)
    return launched
