"""The services of a pipeline, as the supervisor runs them."""

import sys
from collections.abc import Mapping
from pathlib import Path

from automl_stream.local_stack.service import Service
from schemas.pipeline import Pipeline

MODULES = {"score": "stream_apps.score", "monitor": "stream_apps.monitor", "labels": "stream_apps.labels",
           "record": "stream_apps.record", "trainer": "trainer"}


def pipeline_services(pipeline: Pipeline, file: Path, environment: Mapping[str, str],
                      first_metrics_port: int) -> list[Service]:
    """Services of one pipeline, in the order of the flow; each serves its metrics on a port of its own."""
    services = []
    for index, (name, module) in enumerate(MODULES.items()):
        settings = {"AUTOML_STREAM_PIPELINE": str(file.absolute()), "AUTOML_STREAM_INSTANCE": "0",
                    "METRICS_PORT": str(first_metrics_port + index), "OMP_NUM_THREADS": "1"}
        services.append(Service(name=f"{pipeline.name}-{name}", command=(sys.executable, "-m", module),
                                env=dict(environment) | settings))
    return services
