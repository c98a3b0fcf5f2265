"""`python -m trainer`: the service. Any unexpected failure ends the process; the supervisor starts it again."""

import os
import sys
import time

import structlog

from kafka_access.access import UnusableAccess
from kafka_access.definition import UnreadableDefinition, in_force
from producers.errors import UnusableFile
from producers.golden import read_golden
from schemas.pipeline import PipelineError, load_pipeline
from telemetry.endpoint import serve_metrics
from telemetry.logs import configure_logs
from trainer.errors import DefinitionChanged, MissingLibrary, MissingSetting
from trainer.guards import golden_of
from trainer.leadership import Leadership
from trainer.service import Trainer
from trainer.settings import read_settings

log = structlog.get_logger()


def main() -> int:
    """Wire and run; the exit code is 2 where starting again cannot help."""
    try:
        settings = read_settings()
        stated = load_pipeline(settings.pipeline)
        pipeline, _ = in_force(stated, settings.kafka)
        golden = golden_of(pipeline, read_golden(pipeline, settings.pipeline.parent))
    except (MissingSetting, PipelineError, UnusableAccess, UnusableFile) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except UnreadableDefinition as error:
        sys.stderr.write(f"{error}\n")
        return 1
    configure_logs(service="trainer", pipeline=pipeline.name, instance=settings.instance)
    try:
        leadership = Leadership(pipeline, settings.kafka, settings.instance)
        trainer = Trainer(pipeline, settings.kafka, leadership, settings.registry, _now, golden, stated)
        serve_metrics(settings.metrics_port,
                      lambda: {"ok": True, "leads": trainer.covered is not None, "covered": trainer.covered})
        trainer.run()
    except (MissingLibrary, DefinitionChanged) as error:
        log.error(str(error))
        return 2
    except Exception:  # the process ends: nothing half-done may go on
        log.exception("the trainer ends; started again, it goes on from trainer-state")
        return 1
    return 0


def _now() -> int:
    return int(time.time() * 1_000)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # threads of MLflow or a last commit must not hold the process up
