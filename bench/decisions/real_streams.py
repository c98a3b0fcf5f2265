"""Four real streams: our alarms beside what is known of them, and beside rules that others use.

Windows of 200 rows, the first fifth as reference, one false alarm in 1,000 windows. A shuffled stream has no drift:
every alarm on it is a false one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from scipy.stats import ks_2samp

from automl_stream.backtest.truth import read_truth
from bench.decisions.streams import Matrix
from bench.result import Table
from drift.counts import CellCounter
from drift.decision import Decider, DecisionSettings
from drift.profile import FeatureColumn, build_profile
from drift.statistics.psi import population_stability_index
from drift.verdict import Verdict
from producers.files import file_rows, open_table
from schemas.pipeline import load_pipeline

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
WINDOW = 200
SETTINGS = DecisionSettings(budget_windows=1_000)
KNOWN = {
    "elec2": "vicprice, vicdemand and transfer are constant until row 17,424",
    "noaa_weather": "seasons; the yearly mean of feat_4 steps from 10 to 14 about row 8,000",
    "bike_sharing": "the new year, row 8,645, where yr becomes 1",
}
NAMES = ("gas_drift", *KNOWN)
RULES = ("any KS p < .05", "KS, Bonferroni", "any PSI > .2", "KS p < .05 in half")
SHOWN = 4  # names of features
_LEVEL, _STABLE = 0.05, 0.2


@dataclass(frozen=True, kw_only=True)
class Source:
    """A stream's features and rows, and the rows at which its documented regimes begin."""

    name: str
    features: tuple[str, ...]
    rows: Matrix
    documented: tuple[int, ...] = ()

    @property
    def reference(self) -> Matrix:
        """The first fifth."""
        return self.rows[:len(self.rows) // 5]

    @property
    def windows(self) -> Matrix:
        """The full windows after it, (windows, 200, features)."""
        rows = self.rows[len(self.reference):]
        return rows[:len(rows) // WINDOW * WINDOW].reshape(-1, WINDOW, len(self.features))

    def shuffled(self) -> "Source":
        """The same rows in random order."""
        rows = np.random.default_rng(0).permutation(self.rows)
        return Source(name=self.name, features=self.features, rows=rows)


def load(name: str, data: Path = DATA) -> Source:
    """The features of pipelines/<name>.toml, all numbers, from <name>.csv.gz; its changes from <name>.truth.json.

    Raises:
        UnusableFile: where the file is not there or is not what its pipeline says.
    """
    pipeline = load_pipeline(ROOT / "pipelines" / f"{name}.toml")
    path = data / f"{name}.csv.gz"
    features = tuple(feature.name for feature in pipeline.features)
    rows = file_rows(open_table(path), pipeline)
    truth = read_truth(path)
    return Source(
        name=name, features=features, documented=tuple(truth.documented) if truth else (),
        rows=np.array([[row.features[feature] for feature in features] for row in rows], dtype=np.float64),
    )


def verdicts(source: Source) -> list[Verdict]:
    """Ours on every window, each with those before it as history."""
    columns = zip(source.features, source.reference.T, strict=True)
    profile = build_profile([FeatureColumn(name=name, kind="number", values=values) for name, values in columns])
    counter, decider = CellCounter(profile), Decider(profile, SETTINGS)
    history = np.stack([counter.count(counter.indices(window, [])) for window in source.windows])
    return [decider.decide(history[max(0, end - SETTINGS.history_windows):end]) for end in range(1, len(history) + 1)]


def others(source: Source) -> dict[str, NDArray[np.bool_]]:
    """Whether each rule alarms, window by window."""
    p = np.array([ks_2samp(source.reference, window, method="asymp")[1] for window in source.windows])
    least, level = p.min(axis=1), _LEVEL / len(source.features)
    alarms = (least < _LEVEL, least < level, stability(source).max(axis=1) > _STABLE,
              (p < _LEVEL).mean(axis=1) >= 1 / 2)
    return dict(zip(RULES, alarms, strict=True))


def stability(source: Source) -> Matrix:
    """PSI of each window and feature over the reference's tenths; no value is missing."""
    found = np.empty((len(source.windows), len(source.features)))
    for feature, reference in enumerate(source.reference.T):
        edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10))
        before, *after = (np.bincount(np.searchsorted(edges, rows), minlength=edges.size + 1)
                          for rows in (reference, *source.windows[:, :, feature]))
        found[:, feature] = population_stability_index(before, np.array(after))
    return found


def measure(progress: Progress, data: Path = DATA) -> list[Table]:
    """What we said of each stream; and how often each rule alarmed, on the stream and on its rows shuffled."""
    ours, counted = [], []
    task = progress.add_task("real streams", total=2 * len(NAMES))
    for name in NAMES:
        source = load(name, data)
        for each, title in ((source, name), (source.shuffled(), f"{name}, shuffled")):
            found = verdicts(each)
            if each is source:
                ours.append(_said(source, found))
            alarms = {"ours": np.array([verdict.alarm for verdict in found])} | others(each)
            counted.append((title, len(found), *(_counted(alarm) for alarm in alarms.values())))
            progress.advance(task)
    return [
        Table(title="Real streams: our first alarm", rows=ours,
              columns=("stream", "features", "uncalibrated", "windows", "in alarm", "first in window", "its rows",
                       "features that alarm", "what is known"),
              note="Uncalibrated features may not alarm. Regimes are documented for gas_drift alone; of the others is "
                   "told what the data show. Windows count from 1."),
        Table(title="Real streams: windows in alarm, and the first of them", rows=counted,
              columns=("stream", "windows", "ours", *RULES), note="Shuffled rows have no drift: every alarm is false."),
    ]


def _said(source: Source, found: Sequence[Verdict]) -> tuple[str | float | None, ...]:
    alarms = np.array([verdict.alarm for verdict in found])
    first = int(alarms.argmax())
    start = len(source.reference) + first * WINDOW
    guilty = [feature.name for feature in found[first].features if feature.alarm]
    silent = sum(feature.uncalibrated is not None for feature in found[0].features)
    when = (first + 1, f"{start:,} to {start + WINDOW - 1:,}", _named(guilty)) if guilty else (None, "", "")
    documented = "regimes begin at rows " + ", ".join(f"{row:,}" for row in source.documented)
    return (source.name, len(source.features), silent, len(found), int(alarms.sum()), *when,
            KNOWN.get(source.name, documented))


def _named(features: Sequence[str]) -> str:
    shown = ", ".join(features[:SHOWN])
    return f"{shown} and {len(features) - SHOWN} more" if len(features) > SHOWN else shown


def _counted(alarms: NDArray[np.bool_]) -> str:
    return f"{alarms.sum()}, first {alarms.argmax() + 1}" if alarms.any() else "0"
