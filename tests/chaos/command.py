"""How a fault runs by itself: `python -m tests.chaos.<fault> [--full] [--json]`."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import Struct

from automl_stream.local_stack.ports import unused_ports
from automl_stream.local_stack.stack import start_infrastructure
from automl_stream.local_stack.supervisor import Supervisor
from kafka_access.access import KafkaAccess
from kafka_access.environment import read_access

Fault = Callable[[KafkaAccess, Path, bool], Struct]


@contextmanager
def broker(home: Path) -> Iterator[KafkaAccess]:
    """A local stack that ends with the block, or the broker that KAFKA_BOOTSTRAP_SERVERS names."""
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield read_access()
        return
    with Supervisor(home) as supervisor:
        # Naming a store keeps MLflow's server from being started: nobody trains here.
        yield start_infrastructure(supervisor, unused_ports(), {"MLFLOW_TRACKING_URI": "sqlite://"}).kafka


def run_alone(fault: Fault) -> None:
    """Run `fault(access to Kafka, directory, full)` with a broker; as run_in_place."""

    def with_broker(place: Path, full: bool) -> Struct:
        with broker(place / "stack") as kafka:
            return fault(kafka, place, full)

    run_in_place(with_broker)


def run_in_place(run: Callable[[Path, bool], Struct]) -> None:
    """Run `run(directory, full)`; its figures are the last line. A broken promise raises."""
    options = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    options.add_argument("--full", action="store_true", help="the size that docs and closing notes quote")
    options.add_argument("--json", action="store_true", help="print the figures as one line of JSON")
    chosen = options.parse_args()
    began = time.monotonic()
    with TemporaryDirectory(prefix="chaos-") as place:
        figures = msgspec.to_builtins(run(Path(place), chosen.full))
    figures["seconds"] = round(time.monotonic() - began, 1)
    text = msgspec.json.encode(figures)
    sys.stdout.write((text if chosen.json else msgspec.json.format(text)).decode() + "\n")
