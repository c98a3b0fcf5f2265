"""The metrics of a service: each is defined once, with what its labels can be, in a registry of the service's own.

Names follow Prometheus: base units, and the unit in the name; a counter ends in `_total`. Which pipeline and which
service a number belongs to is said by whoever scrapes it.
"""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import product
from typing import Literal

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

PREFIX = "automl_stream_"
WORK_SECONDS = (.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5)
"""Buckets for what a process does by itself."""
DELAY_SECONDS = (.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300)
"""Buckets for what also waits for others."""

Bound = Sequence[str] | str
"""What a label can be: its values, or in words what keeps them few."""
Kind = Literal["counter", "gauge", "histogram", "info"]


class Definition(Struct, frozen=True, kw_only=True):
    """One metric as it is scraped: a histogram's name is that of its series without `_bucket`, `_sum`, `_count`."""

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, Bound]


class ServiceMetrics:
    """Makes the metrics of one service, and knows them all: nothing need run to list them. Counts and
    distributions whose labels' values are known are there from the start, as 0."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.definitions: list[Definition] = []
        ProcessCollector(registry=self.registry)
        self.info("build", "What runs.", version="one a process", python="one a process").info(
            {"version": version("automl-stream"), "python": platform.python_version()})

    def counter(self, name: str, text: str, **labels: Bound) -> Counter:
        """A count since the process started; `name` without prefix and `_total`."""
        self._define(f"{name}_total", "counter", text, labels)
        metric = Counter(PREFIX + name, text, tuple(labels), registry=self.registry)
        for values in _known(labels):
            metric.labels(*values)
        return metric

    def gauge(self, name: str, text: str, **labels: Bound) -> Gauge:
        """What goes up and down."""
        self._define(name, "gauge", text, labels)
        return Gauge(PREFIX + name, text, tuple(labels), registry=self.registry)

    def histogram(self, name: str, text: str, buckets: Sequence[float], **labels: Bound) -> Histogram:
        """How values are distributed over `buckets`, their upper ends."""
        self._define(name, "histogram", text, labels)
        metric = Histogram(PREFIX + name, text, tuple(labels), buckets=buckets, registry=self.registry)
        for values in _known(labels):
            metric.labels(*values)
        return metric

    def info(self, name: str, text: str, **labels: Bound) -> Info:
        """Words beside a 1; `name` without prefix and `_info`."""
        self._define(f"{name}_info", "info", text, labels)
        return Info(PREFIX + name, text, registry=self.registry)

    def _define(self, name: str, kind: Kind, text: str, labels: Mapping[str, Bound]) -> None:
        self.definitions.append(Definition(name=PREFIX + name, kind=kind, help=text, labels=labels))


def _known(labels: Mapping[str, Bound]) -> list[tuple[str, ...]]:
    """All combinations of the labels' values, where every label's are known."""
    if not labels or any(isinstance(bound, str) for bound in labels.values()):
        return []
    return list(product(*labels.values()))
