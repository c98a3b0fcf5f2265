"""A report has a number or nothing, never NaN; an alert's id is a function of what it is about."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from drift.profile import ReferenceProfile
from schemas.codec import decode, encode
from schemas.messages import DriftAlert, DriftReport, Model, derived_id
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge
from tests.tiny import profile_bytes, tiny_pipeline

PIPELINE = tiny_pipeline()
PROFILE = ReferenceProfile.decode(profile_bytes())
MODEL = Model(version="1", digest="m", epoch=0)


def window(start: int, counts: NDArray[np.int64]) -> ClosedWindow:
    return ClosedWindow(start=start, profile="p", profile_epoch=0, rows=int(counts[: PROFILE.offsets[1]].sum()),
                        counts=counts, covered={"0": 5})


def reference(times: int = 1) -> NDArray[np.int64]:
    return np.concatenate([np.array(f.counts, dtype=np.int64) * times for f in PROFILE.features])


def moved() -> NDArray[np.int64]:
    """All rows of the first feature are above the reference's range."""
    counts = reference()
    first, last = PROFILE.offsets[:2]
    counts[first:last] = 0
    counts[last - 2] = 200
    return counts


def missing() -> NDArray[np.int64]:
    """Every value of every feature is missing."""
    counts = np.zeros(PROFILE.size, dtype=np.int64)
    counts[PROFILE.offsets[1:] - 1] = 200
    return counts


def judge() -> DriftJudge:
    return DriftJudge(pipeline=PIPELINE, profile=PROFILE)


def test_the_reference_itself_is_no_drift_and_its_distances_are_nothing() -> None:
    report, verdict = judge().judge(window(0, reference()))
    assert not verdict.alarm
    assert (report.rows, report.window_end, report.covered) == (200, 10_000, {"0": 5})
    for feature in report.features:
        assert feature.psi == pytest.approx(0, abs=1e-6)
        assert feature.jensen_shannon == pytest.approx(0, abs=1e-6)
        assert (feature.ks is None) == (feature.name == "c")


def test_a_moved_feature_alarms_and_the_alert_names_it() -> None:
    judging = judge()
    report, verdict = judging.judge(window(20_000, moved()))
    assert (report.alarm, verdict.alarm) == (True, True)
    alert = judging.alert(report, verdict, MODEL, 77)
    assert (alert.kind, alert.features, alert.labelled_offset, alert.model) == ("covariate", ["a"], 77, MODEL)
    assert (alert.window_start, alert.window_end, alert.onset) == (20_000, 30_000, 20_000)
    assert alert.sentence == report.verdict
    assert decode(encode(alert), DriftAlert) == alert


def test_the_alerts_id_depends_on_pipeline_profile_kind_and_window_only() -> None:
    first, later = judge(), judge()
    alert = first.alert(*first.judge(window(20_000, moved())), MODEL, 77)
    again = later.alert(*later.judge(window(20_000, moved() * 2)), Model(version="9", digest="n", epoch=8), 99)
    assert alert.alert_id == again.alert_id == derived_id("tiny", "p", "covariate", 20_000)
    other = first.alert(*first.judge(window(30_000, moved())), MODEL, 77)
    assert other.alert_id != alert.alert_id


@pytest.mark.parametrize("counts", [missing(), np.zeros(PROFILE.size, dtype=np.int64), reference(0)],
                         ids=["missing", "nothing", "no rows"])
def test_where_there_is_nothing_to_show_the_statistics_are_none_and_no_number_is_nan(counts: NDArray[np.int64]) -> None:
    report, _ = judge().judge(window(0, counts))
    assert decode(encode(report), DriftReport) == report
    for feature in report.features:
        assert (feature.ks, feature.psi, feature.jensen_shannon) == (None, None, None)
        assert all(map(math.isfinite, (feature.effect, feature.lower_bound, feature.log_p, feature.missing)))


def test_missing_values_are_an_alert_of_their_own_kind() -> None:
    judging = judge()
    report, verdict = judging.judge(window(0, missing()))
    assert judging.alert(report, verdict, MODEL, 0).kind == "missing"
    assert all(feature.missing == 1.0 for feature in report.features)


def test_remembering_a_window_counts_for_the_next_as_judging_it_would() -> None:
    straight, restarted = judge(), judge()
    straight.judge(window(0, moved()))
    restarted.remember(window(0, moved()))
    begun = DriftJudge(pipeline=PIPELINE, profile=PROFILE, history=[reference(3), reference(9), moved()])
    reports = [one.judge(window(10_000, reference()))[0] for one in (straight, restarted, begun)]
    assert reports[0] == reports[1] == reports[2]


def test_the_history_is_as_long_as_the_longest_scale() -> None:
    judging = DriftJudge(pipeline=PIPELINE, profile=PROFILE, history=[reference()] * 50)
    judging.remember(window(0, reference()))
    assert len(judging._history) == 2 ** (PIPELINE.drift.scales - 1)
