"""How long a partition stood still after its worker was hit."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tests.chaos.fleet import Assigned


class Hit(Struct, frozen=True, kw_only=True):
    """A worker that was killed or frozen at `at`, epoch seconds."""

    at: float
    worker: str


class Outage(Struct, frozen=True, kw_only=True):
    """The broker was killed at `start` and served again at `end`, epoch seconds; None: it has not yet."""

    start: float
    end: float | None = None


def recoveries(hits: Iterable[Hit], assigned: Iterable[Assigned], written: Mapping[int, NDArray[np.float64]],
               outages: Sequence[Outage] = ()) -> list[float]:
    """Seconds from each hit to the next output of each partition that the worker owned then, less the outages.

    `written`: when predictions of a partition were written, epoch seconds, ascending. A partition without any output
    after a hit does not count: what is lost is the oracle's matter.
    """
    said = sorted(assigned, key=lambda word: word.at)
    found = []
    for hit in hits:
        owned = [word.partitions for word in said if word.worker == hit.worker and word.at <= hit.at]
        for partition in owned[-1] if owned else ():
            times = written[partition]
            index = int(np.searchsorted(times, hit.at, side="right"))
            if index < len(times):
                back = float(times[index])
                found.append(back - hit.at - sum(_overlap(outage, hit.at, back) for outage in outages))
    return found


def _overlap(outage: Outage, start: float, end: float) -> float:
    return max(min(end, outage.end or end) - max(start, outage.start), 0.0)


def longest_gap(written: Mapping[int, NDArray[np.float64]]) -> float:
    """The longest time that any partition gave nothing, in seconds."""
    return max((float(np.diff(times).max()) for times in written.values() if len(times) > 1), default=0.0)


def p95(values: list[float]) -> float:
    """The 95th percentile; 0 of nothing."""
    return float(np.quantile(values, 0.95)) if values else 0.0
