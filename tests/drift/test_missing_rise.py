"""How many missing rows alarm, at one false alarm in 1,000 windows of one feature that misses 1 % of its values."""

from math import log, log1p, sqrt

import numpy as np
import pytest
from scipy.special import log_ndtr

from drift.counts import CellCounter
from drift.evidence import ContrastTests
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from schemas.messages import DriftReport
from schemas.pipeline import Feature, Identity, Pipeline
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge

PIPELINE = Pipeline(pipeline=Identity(name="sensor", task="binary"),
                    features=(Feature(name="x", type="number", optional=True),))
THRESHOLD = -log(1_000 * 1 * 12)
WEIGHT = 0.2


def values(rows: int, missing: int) -> np.ndarray:
    """Spread evenly over [0, 1) and without dependence, the missing ones too."""
    found = np.arange(rows) * (sqrt(5) - 1) / 2 % 1
    found[(2 * np.arange(missing) + 1) * rows // (2 * missing)] = np.nan
    return found


def profile(rows: int) -> ReferenceProfile:
    built = build_profile([FeatureColumn(name="x", kind="number", values=values(rows, rows // 100))])
    assert set(built.features[0].design_effect[1:]) == {1.0}  # the first one is of a single row
    return built


def judged(reference: ReferenceProfile, *windows: tuple[int, int]) -> DriftReport:
    """The report on the last of windows of so many rows and missing ones, after one as the reference is."""
    judge, counter = DriftJudge(pipeline=PIPELINE, profile=reference), CellCounter(reference)
    reports = []
    for number, (rows, missing) in enumerate([(100, 1), *windows]):
        counts = counter.count(counter.indices(values(rows, missing)[:, np.newaxis], []))
        window = ClosedWindow(start=number, profile="p", profile_epoch=0, rows=rows, counts=counts, covered={})
        reports.append(judge.judge(window)[0])
    return reports[-1]


@pytest.mark.parametrize(("rows", "reference", "first"), [
    (100, 1_000, 10), (100, 5_000, 9), (100, 10_000, 9), (200, 1_000, 14), (200, 5_000, 12), (200, 10_000, 12)])
def test_the_first_count_of_missing_rows_that_alarms(rows: int, reference: int, first: int) -> None:
    known = profile(reference)
    assert not judged(known, (rows, first - 1)).alarm
    report = judged(known, (rows, first))
    assert report.alarm
    assert (report.features[0].contrast, report.features[0].scale) == ("missing", 1)


@pytest.mark.parametrize("reference", [1_000, 5_000, 10_000])
def test_a_rise_from_1_to_8_per_cent_alarms_in_its_window_of_200_rows_and_in_the_second_of_100(reference: int) -> None:
    known = profile(reference)
    assert judged(known, (200, 16)).alarm
    assert not judged(known, (100, 8)).alarm
    report = judged(known, (100, 8), (100, 8))
    assert report.alarm
    assert (report.features[0].contrast, report.features[0].scale, report.onset) == ("missing", 2, 1)


@pytest.mark.parametrize("times", [1, 100])
def test_a_rise_to_20_per_cent_alarms_in_a_window_of_100_rows_and_of_100_times_as_many(times: int) -> None:
    known = profile(5_000)
    assert judged(known, (100 * times, 20 * times)).alarm
    assert not judged(known, (100 * times, times)).alarm


@pytest.mark.parametrize(("reference", "log_p"), [(1_000, -8.505), (5_000, -10.040), (10_000, -10.283)])
def test_8_of_100_against_1_per_cent_is_as_unlikely_as_the_formula_says(reference: int, log_p: float) -> None:
    known = profile(reference)
    counter = CellCounter(known)
    counts = counter.count(counter.indices(values(100, 8)[:, np.newaxis], []))[np.newaxis]
    found = float(ContrastTests(known).evaluate(counts, np.zeros_like(counts))[0, 0, -1])
    expected = two_binomials(8, 100, reference // 100, reference)
    assert expected == pytest.approx(log_p, abs=0.001)
    assert found == pytest.approx(expected - log(WEIGHT))
    assert THRESHOLD < found < THRESHOLD + 3  # it is close, and no alarm


def two_binomials(x: int, n: int, y: int, m: int) -> float:
    """Log p of x of n against y of m independent rows: the likelihood ratio with a continuity correction, as a normal
    equivalent of Student's t with m degrees of freedom."""
    expected = n * (x + y) / (n + m)
    moved = max(x - 0.5, expected)
    rest = x + y - moved
    cells = ((moved, expected), (n - moved, n - expected), (rest, x + y - expected), (m - rest, m - (x + y - expected)))
    ratio = 2 * sum(seen * log(seen / due) for seen, due in cells)
    z = (8 * m + 1) / (8 * m + 3) * sqrt(m * log1p(ratio / m))
    return log(2) + float(log_ndtr(-z))
