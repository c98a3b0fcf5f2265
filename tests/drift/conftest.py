"""What the tests of `drift` share: profiles of number matrices, streams watched window by window, the shared data."""

import csv
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from drift.counts import CellCounter
from drift.decision import Decider, DecisionSettings
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from drift.verdict import Verdict

Matrix = NDArray[np.float64]
Profiled = Callable[..., ReferenceProfile]
Watched = Callable[..., list[Verdict]]
Stream = Callable[[str, str], tuple[list[str], Matrix]]

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def profiled() -> Profiled:
    """A profile of a matrix of numbers (rows, features)."""

    def build(rows: Matrix, names: Sequence[str] = ()) -> ReferenceProfile:
        names = names or [f"f{index:03}" for index in range(rows.shape[1])]
        columns = zip(names, rows.T, strict=True)
        return build_profile([FeatureColumn(name=name, kind="number", values=values) for name, values in columns])

    return build


@pytest.fixture(scope="session")
def watched() -> Watched:
    """The verdicts on a matrix of numbers, cut into full windows; the first `skip` windows are history only."""

    def watch(
        profile: ReferenceProfile, settings: DecisionSettings, rows: Matrix, window: int, skip: int = 0
    ) -> list[Verdict]:
        counter, decider = CellCounter(profile), Decider(profile, settings)
        cells = counter.indices(rows, [])
        starts = range(0, len(rows) - window + 1, window)
        history = np.stack([counter.count(cells[start : start + window]) for start in starts])
        keep = settings.history_windows
        return [decider.decide(history[max(0, end - keep) : end]) for end in range(skip + 1, len(history) + 1)]

    return watch


@pytest.fixture(scope="session")
def stream() -> Stream:
    """Feature names and rows of one of the shared files, without its label and its clock."""

    def load(name: str, clock: str) -> tuple[list[str], Matrix]:
        with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file)
        kept = [index for index, column in enumerate(header) if column not in {"label", clock}]
        rows = [[float(line[index] or "nan") for index in kept] for line in lines]
        return [header[index] for index in kept], np.array(rows)

    return load
