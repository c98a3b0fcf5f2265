"""`python -m trainer`: the service. Any unexpected failure ends the process; the supervisor starts it again."""

import ctypes
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from types import ModuleType

import structlog

from kafka_access.access import UnusableAccess
from kafka_access.definition import UnreadableDefinition, in_force
from producers.errors import UnusableFile
from producers.golden import read_golden
from schemas.pipeline import PipelineError, load_pipeline
from telemetry.endpoint import UnusableEndpoint, serve_metrics
from telemetry.logs import configure_logs
from trainer.errors import DefinitionChanged, MissingLibrary, MissingSetting
from trainer.guards import golden_of
from trainer.leadership import Leadership
from trainer.service import Trainer
from trainer.settings import read_settings

log = structlog.get_logger()

_M_ARENA_MAX = -8  # of glibc's malloc.h
FRAMES = frozenset({"pandas", "polars", "pyarrow"})


class NotInstalled(MetaPathFinder):
    """So it says of data frames: MLflow and LightGBM import every library of them that they find, 115 MB that nobody
    here has a use for. They do without; mlflow-skinny is MLflow without them."""

    def find_spec(self, fullname: str, path: Sequence[str] | None,  # noqa: ARG002
                  target: ModuleType | None = None) -> None:  # noqa: ARG002
        """As importlib says."""
        if fullname in FRAMES:
            raise ModuleNotFoundError(f"a trainer does without {fullname}", name=fullname)


def share_heaps() -> None:
    """Have all threads share two heaps: those of LightGBM, MLflow and Kafka would each keep one, some 20 MB in all."""
    with suppress(OSError, AttributeError):  # a C library that is not GNU's has no such heaps
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def main() -> int:
    """Wire and run; the exit code is 2 where starting again cannot help."""
    share_heaps()
    try:
        settings = read_settings()
        stated = load_pipeline(settings.pipeline)
        pipeline, _ = in_force(stated, settings.kafka)
        golden = golden_of(pipeline, read_golden(pipeline, settings.pipeline.parent))
    except (MissingSetting, PipelineError, UnusableAccess, UnusableEndpoint, UnusableFile) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except UnreadableDefinition as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.meta_path.insert(0, NotInstalled())  # whoever wanted one above, for a golden sample, has it
    configure_logs(service="trainer", pipeline=pipeline.name, instance=settings.instance)
    try:
        leadership = Leadership(pipeline, settings.kafka, settings.instance)
        trainer = Trainer(pipeline, settings.kafka, leadership, settings.registry, _now, golden, stated)
        serve_metrics(settings.metrics, trainer.metrics,
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
