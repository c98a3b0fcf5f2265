"""The services of a pipeline, as the supervisor runs them."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from automl_stream.local_stack.ports import Ports, require_free
from automl_stream.local_stack.preflight import require_libgomp
from automl_stream.local_stack.service import Service
from automl_stream.local_stack.stack import Addresses
from automl_stream.local_stack.supervisor import Supervisor
from automl_stream.topics import create_topics
from schemas.pipeline import Pipeline, load_pipeline

MODULES = {
    "score": "stream_apps.score",
    "monitor": "stream_apps.monitor",
    "labels": "stream_apps.labels",
    "record": "stream_apps.record",
    "trainer": "trainer",
}


def load_pipelines(files: Sequence[Path]) -> dict[Path, Pipeline]:
    """Definition of each file.

    Raises:
        PipelineError: where one cannot be used.
    """
    return {file: load_pipeline(file) for file in files}


def launch_pipelines(
    supervisor: Supervisor, pipelines: Mapping[Path, Pipeline], addresses: Addresses, ports: Ports
) -> None:
    """Create the topics and launch every service, without waiting; each serves metrics on a port of its own.

    Raises:
        MissingLibrary: where LightGBM could not be loaded.
        TopicsDiffer: as create_topics.
    """
    if pipelines:
        require_libgomp()
    port = ports.metrics
    for file, pipeline in pipelines.items():
        create_topics(pipeline, addresses.kafka)
        for name, module in MODULES.items():
            settings = {
                "AUTOML_STREAM_PIPELINE": str(file.absolute()),
                "METRICS_PORT": str(port),
                "OMP_NUM_THREADS": "1",  # each service owns a share of the machine, not all of it
            }
            command = (sys.executable, "-m", module)
            service = Service(name=f"{pipeline.name}-{name}", command=command, env=addresses.environment() | settings)
            (first,) = ports.of("metrics")
            require_free(msgspec.structs.replace(first, number=port, purpose=f"the metrics of {service.name}"))
            supervisor.launch(service, settled=True)
            port += 1
