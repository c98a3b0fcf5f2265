"""What streams do at their edges, from the rows to the report and the alert."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.special import ndtri

from drift.cells import MAX_LABEL, FeatureKind
from drift.counts import CellCounter
from drift.profile import FeatureColumn, build_profile
from drift.verdict import Verdict
from schemas.codec import decode, encode
from schemas.messages import DriftAlert, DriftReport, Model
from schemas.pipeline import Feature, Identity, Pipeline
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge

Columns = dict[str, Any]

MODEL = Model(version="1", digest="m", epoch=0)
KINDS: dict[str, FeatureKind] = {
    "normal": "number", "constant": "number", "never": "number", "gappy": "number", "colour": "category",
    "same": "category", "unnamed": "category", "on": "boolean",
}
PIPELINE = Pipeline(pipeline=Identity(name="edges", task="binary"),
                    features=tuple(Feature(name=name, type=kind, optional=True) for name, kind in KINDS.items()))
ROWS = 100


def rows(rng: np.random.Generator, count: int = ROWS) -> Columns:
    """One feature of every kind that a stream may have: `never` and `unnamed` have no value at all."""
    gappy = rng.normal(size=count)
    gappy[rng.random(count) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    return {
        "normal": rng.normal(size=count), "constant": np.full(count, 3.0), "never": np.full(count, np.nan),
        "gappy": gappy, "colour": rng.choice(["red", "green", "blue", "white"], count).tolist(),
        "same": ["x"] * count, "unnamed": [None] * count, "on": (rng.random(count) < 0.5).tolist(),
    }


class Stream:
    """A reference of 2,000 rows and three quiet windows; then what a test makes of the next ones."""

    def __init__(self, **reference: Any) -> None:
        self.rng = np.random.default_rng(0)
        columns = rows(self.rng, 2000) | reference
        self._profile = build_profile([
            FeatureColumn(name=name, kind=kind, values=columns[name]) for name, kind in KINDS.items()])
        self._counter = CellCounter(self._profile)
        self._judge = DriftJudge(pipeline=PIPELINE, profile=self._profile)
        self._start = 0
        self.quiet = [self.next(rows(self.rng)) for _ in range(3)]

    def next(self, columns: Columns) -> tuple[DriftReport, Verdict]:
        """Judge a window of these rows; nothing that is sent may be other than a number."""
        numbers = np.stack([columns[name] for name, kind in KINDS.items() if kind == "number"], axis=1)
        others = [columns[name] for name, kind in KINDS.items() if kind != "number"]
        counts = self._counter.count(self._counter.indices(numbers, others))
        window = ClosedWindow(start=self._start, profile="p", profile_epoch=0, rows=len(numbers), counts=counts,
                              covered={})
        self._start += PIPELINE.windows.size
        report, verdict = self._judge.judge(window)
        assert decode(encode(report), DriftReport) == report
        for feature in report.features:
            found = [value for value in msgspec.structs.astuple(feature) if isinstance(value, float)]
            assert all(map(math.isfinite, found)), feature
        return report, verdict

    def alert(self, columns: Columns) -> DriftAlert | None:
        """The alert of a window of these rows, where there is one."""
        report, verdict = self.next(columns)
        return self._judge.alert(report, verdict, MODEL) if verdict.alarm else None


def larger(columns: Columns, times: int) -> Columns:
    """The same rows so many times over."""
    return {name: np.tile(column, times) if isinstance(column, np.ndarray) else column * times
            for name, column in columns.items()}


def first_row(changed: Any, rest: Any) -> Any:
    """A column in whose window only the first row differs."""
    return np.append(changed, rest[1:]) if isinstance(rest, np.ndarray) else [changed, *rest[1:]]


def mixed(*parts: tuple[Any, int]) -> list[Any]:
    return [value for value, times in parts for _ in range(times)]


EVERYTHING_MISSING: Columns = {
    name: np.full(ROWS, np.nan) if kind == "number" else [None] * ROWS for name, kind in KINDS.items()}

CASES: dict[str, tuple[Columns, str | None, set[str]]] = {
    "nothing new": ({}, None, set()),
    "a constant that moved": ({"constant": np.full(ROWS, 3.5)}, "schema", {"constant"}),
    "a constant by its neighbour": ({"constant": np.full(ROWS, np.nextafter(3.0, 4.0))}, "schema", {"constant"}),
    "a constant that varies": ({"constant": np.linspace(2.5, 3.5, ROWS)}, "covariate", {"constant"}),
    "everything missing": (EVERYTHING_MISSING, "missing", {"normal", "constant", "gappy", "colour", "same", "on"}),
    "only NaN": ({"normal": np.full(ROWS, np.nan)}, "missing", {"normal"}),
    "only infinity": ({"normal": np.full(ROWS, np.inf)}, "missing", {"normal"}),
    "some infinities": ({"constant": np.array(mixed((np.inf, 6), (-np.inf, 6), (3.0, 88)))}, "missing", {"constant"}),
    "a number that never was": ({"never": np.full(ROWS, 1.0)}, "missing", {"never"}),
    "a category that never was": ({"unnamed": ["a"] * ROWS}, "missing", {"unnamed"}),
    "6 % of an unseen category": ({"colour": mixed(("mauve", 6), *((c, 23) for c in ("red", "green")),
                                                   *((c, 24) for c in ("blue", "white")))}, "schema", {"colour"}),
    "many unseen categories": ({"same": [f"new {i}" for i in range(ROWS)]}, "schema", {"same"}),
    "an endless category": ({"same": mixed(("x" * (MAX_LABEL + 1), 8), ("x", 92))}, "schema", {"same"}),
    "an empty category": ({"same": mixed(("", 8), ("x", 92))}, "schema", {"same"}),
    "a category out of use": ({"colour": mixed(("red", 50), ("green", 50))}, "covariate", {"colour"}),
    "the largest numbers": ({"normal": np.full(ROWS, np.finfo(np.float64).max)}, "covariate", {"normal"}),
    "some out of range": ({"normal": np.append(np.full(8, 1e300), ndtri(np.arange(1, 93) / 93))}, "schema", {"normal"}),
}


OUTLIERS: dict[str, tuple[str, Any]] = {
    "a number out of range": ("normal", np.finfo(np.float64).max), "an infinity": ("normal", -np.inf),
    "a missing value of a constant": ("constant", np.nan), "a constant that moved": ("constant", 4.0),
    "a value of what never had one": ("never", 1.0), "an unseen category": ("colour", "mauve"),
    "a missing category": ("same", None), "a name of what never had one": ("unnamed", "a"),
    "a missing flag": ("on", None),
}


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("case", CASES)
def test_a_window_at_the_edge_has_the_right_verdict_at_its_usual_size_and_a_hundred_times_larger(
        case: str, times: int) -> None:
    changed, kind, features = CASES[case]
    stream = Stream()
    assert not any(verdict.alarm for _, verdict in stream.quiet)
    alert = stream.alert(rows(stream.rng, times * ROWS) | larger(changed, times))
    assert (alert.kind, set(alert.features)) == (kind, features) if alert else (kind, features) == (None, set())
    if alert:
        assert alert.onset == alert.window_start


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("case", OUTLIERS)
def test_one_row_is_no_alarm_whatever_it_holds(case: str, times: int) -> None:
    name, value = OUTLIERS[case]
    stream = Stream()
    window = rows(stream.rng, times * ROWS)
    assert stream.alert(window | {name: first_row(value, window[name])}) is None


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_window_with_too_few_rows_says_no_data_whatever_they_are(count: int) -> None:
    stream = Stream()
    _, verdict = stream.next(rows(stream.rng, count) | {"normal": np.full(count, 1e9), "same": ["y"] * count})
    assert verdict.words.startswith(f"No data: the window has {count} row")
    assert not verdict.alarm


def test_empty_windows_bring_and_hide_no_alarm() -> None:
    stream = Stream()
    for _ in range(3):
        assert stream.alert(rows(stream.rng, 0)) is None
    assert stream.alert(rows(stream.rng)) is None
    alert = stream.alert(rows(stream.rng) | {"normal": stream.rng.normal(1, 1, ROWS)})
    assert alert is not None
    assert (alert.features, alert.onset) == (["normal"], alert.window_start)


def test_a_window_a_hundred_times_larger_alarms_only_where_it_differs() -> None:
    stream, moved = Stream(), Stream()
    assert stream.alert(rows(stream.rng, 100 * ROWS)) is None
    assert stream.alert(rows(stream.rng)) is None
    alert = moved.alert(rows(moved.rng, 100 * ROWS) | {"normal": moved.rng.normal(0.3, 1, 100 * ROWS)})
    assert alert is not None
    assert (alert.features, alert.kind, alert.onset) == (["normal"], "covariate", alert.window_start)


def test_after_a_window_a_hundred_times_larger_a_small_one_is_still_heard() -> None:
    stream = Stream()
    stream.next(rows(stream.rng, 100 * ROWS))
    alert = stream.alert(rows(stream.rng) | {"normal": stream.rng.normal(1, 1, ROWS)})
    assert alert is not None
    assert (alert.features, alert.scale, alert.onset) == (["normal"], 1, alert.window_start)


@pytest.mark.parametrize("sprinkled", [[np.nan], [np.inf, -np.inf], [np.nan, np.inf]], ids=["NaN", "infinity", "both"])
def test_what_is_no_number_changes_no_detection(sprinkled: Sequence[float]) -> None:
    reference, windows = np.random.default_rng(1).normal(size=2000), np.random.default_rng(2).normal(size=(8, ROWS))
    windows[5:] += 1.0
    assert alarms(reference, windows) == alarms(*(_sprinkled(part, sprinkled) for part in (reference, windows)))
    assert alarms(reference, windows)[:6] == [False] * 5 + [True]


def alarms(reference: np.ndarray, windows: np.ndarray) -> list[bool]:
    stream = Stream(normal=reference)
    return [stream.next(rows(stream.rng) | {"normal": window})[1].alarm for window in windows]


def _sprinkled(values: np.ndarray, odd: Sequence[float]) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.where(rng.random(values.shape) < 0.05, rng.choice(odd, values.shape), values)


def test_why_a_feature_must_not_alarm_is_in_its_report() -> None:
    slow = np.cumsum(np.random.default_rng(4).normal(size=2000))  # a random walk: worth a few independent rows
    stream = Stream(normal=slow)
    report, verdict = stream.next(rows(stream.rng) | {"normal": np.full(ROWS, 1e6)})
    shown = {feature.name: feature for feature in report.features}
    assert not verdict.alarm
    assert not shown["normal"].calibrated
    assert "use a longer or phase-matched reference" in shown["normal"].uncalibrated
    assert shown["constant"].uncalibrated == ""
