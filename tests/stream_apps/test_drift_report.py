"""A report has a number or nothing, never NaN; an alert's id is a function of what it is about."""

import math

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from drift.profile import ReferenceProfile
from drift.statistics.psi import corrected_population_stability_index
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


def unknown() -> NDArray[np.int64]:
    """Half the categories are new."""
    counts = reference()
    counts[-4:] = (50, 50, 100, 0)
    return counts


def beyond() -> NDArray[np.int64]:
    """A fifth of the first feature's rows is above the reference's range."""
    counts = reference()
    first, last = PROFILE.offsets[:2]
    counts[first:last] = 10
    counts[first] = counts[last - 1] = 0
    counts[last - 2] = 50
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
    assert report.onset is None
    for feature in report.features:
        distances = [feature.psi, feature.jensen_shannon, feature.chi_square, 1 - (feature.chi_square_p or 0)]
        ordered = [feature.ks, feature.wasserstein, feature.mean_shift, feature.spread_shift]
        assert distances == pytest.approx([0] * 4, abs=1e-6)
        assert ordered == ([None] * 4 if feature.name == "c" else pytest.approx([0] * 4, abs=1e-6))


def test_a_report_has_what_was_counted_cell_by_cell() -> None:
    report, _ = judge().judge(window(20_000, moved()))
    counted = {feature.name: feature.counts for feature in report.features}
    assert np.concatenate([counted[f.name] for f in PROFILE.features]).tolist() == moved().tolist()
    assert report.predictions == -1


def test_a_moved_feature_alarms_and_the_alert_names_it() -> None:
    judging = judge()
    report, verdict = judging.judge(window(20_000, moved()), 77)
    assert (report.alarm, verdict.alarm) == (True, True)
    alert = judging.alert(report, verdict, MODEL)
    assert (alert.kind, alert.features, alert.labelled_offset, alert.model) == ("covariate", ["a"], 77, MODEL)
    assert (alert.window_start, alert.window_end, alert.onset) == (20_000, 30_000, 20_000)
    assert alert.sentence == report.verdict
    assert decode(encode(alert), DriftAlert) == alert


def test_another_version_of_the_definition_judges_what_was_remembered_and_its_report_says_so() -> None:
    judging = judge()
    first, _ = judging.judge(window(20_000, moved()))
    deaf = replace(PIPELINE, drift=replace(PIPELINE.drift, min_effect=1_000.0))
    judging.obey(deaf, 7)
    second, _ = judging.judge(window(30_000, moved()))
    assert (first.alarm, first.config, second.alarm, second.config) == (True, -1, False, 7)
    assert (first.pipeline_digest, second.pipeline_digest) == (PIPELINE.digest, deaf.digest)
    judging.obey(PIPELINE, 8)
    third, verdict = judging.judge(window(40_000, reference()))
    fresh = judge()
    for place, counts in enumerate((moved(), moved())):
        fresh.remember(window(20_000 + 10_000 * place, counts))
    assert fresh.judge(window(40_000, reference()))[1] == verdict
    assert third.config == 8


def test_what_is_compiled_is_kept_until_another_version_comes() -> None:
    judging = judge()
    judging.judge(window(20_000, reference()))
    compiled = judging._watched
    judging.obey(PIPELINE, -1)
    judging.judge(window(30_000, reference()))
    assert judging._watched is compiled
    judging.obey(PIPELINE, 3)
    judging.judge(window(40_000, reference()))
    assert judging._watched is not compiled


def test_the_alerts_id_depends_on_pipeline_profile_kind_and_window_only() -> None:
    first, later = judge(), judge()
    alert = first.alert(*first.judge(window(20_000, moved()), 77), MODEL)
    again = later.alert(*later.judge(window(20_000, moved() * 2), 99), Model(version="9", digest="n", epoch=8))
    assert alert.alert_id == again.alert_id == derived_id("tiny", "p", "covariate", 20_000)
    other = first.alert(*first.judge(window(30_000, moved()), 77), MODEL)
    assert other.alert_id != alert.alert_id


@pytest.mark.parametrize("counts", [missing(), reference(0), moved(), unknown(), beyond()],
                         ids=["missing", "no rows", "moved", "unknown", "beyond"])
def test_where_there_is_nothing_to_show_a_statistic_is_none_and_no_number_is_nan(counts: NDArray[np.int64]) -> None:
    report, _ = judge().judge(window(0, counts))
    assert decode(encode(report), DriftReport) == report
    for feature in report.features:
        assert all(math.isfinite(x) for x in msgspec.structs.astuple(feature) if isinstance(x, float))
        present = feature.rows > 0 and feature.missing < 1
        assert (feature.ks is not None) == (present and feature.name != "c")
        assert (feature.psi is not None) == (feature.rows > 0)


def test_psi_is_the_corrected_one_and_has_a_missing_cell() -> None:
    counts = reference()
    first, last = PROFILE.offsets[:2]
    counts[first:last] //= 2
    counts[last - 1] = 100
    report, _ = judge().judge(window(0, counts))
    shown = {feature.name: feature.psi or 0.0 for feature in report.features}
    *by_rows, of_reference = PROFILE.features[0].design_effect
    expected = corrected_population_stability_index(
        np.array(PROFILE.features[0].counts), counts[first:last], reference_effect=of_reference,
        window_effect=float(np.interp(np.log2(counts[first:last].sum()), range(21), by_rows)))
    assert shown["a"] == pytest.approx(expected)
    assert shown["a"] > 1
    assert shown["b"] == 0


def test_missing_values_are_an_alert_of_their_own_kind() -> None:
    judging = judge()
    report, verdict = judging.judge(window(0, missing()))
    assert judging.alert(report, verdict, MODEL).kind == "missing"
    assert all(feature.missing == 1.0 for feature in report.features)


@pytest.mark.parametrize(("counts", "sentence"), [
    (unknown(), "Drift: c is more often an unknown category by 1.57 in Cohen's h"),
    (beyond(), "Drift: a is more often out of range, above "),
])
def test_unknown_categories_and_numbers_out_of_range_are_an_alert_of_the_schema(
        counts: NDArray[np.int64], sentence: str) -> None:
    judging = judge()
    report, verdict = judging.judge(window(0, counts))
    alert = judging.alert(report, verdict, MODEL)
    assert alert.kind == "schema"
    assert alert.alert_id == derived_id("tiny", "p", "schema", 0)
    assert alert.sentence.startswith(sentence)


STARTS = (0, 40_000, 70_000, 120_000)  # between them there were no rows


@pytest.mark.parametrize("restarted", [False, True])
def test_the_onset_is_when_its_window_began_even_where_windows_without_rows_lie_between(restarted: bool) -> None:
    pipeline = msgspec.structs.replace(PIPELINE, drift=msgspec.structs.replace(PIPELINE.drift, scales=3))
    judging = DriftJudge(pipeline=pipeline, profile=PROFILE)
    for start in STARTS[:3]:
        before = window(start, moved() if start else reference())
        if restarted:
            judging.remember(before)
        else:
            judging.judge(before)
    report, verdict = judging.judge(window(STARTS[3], moved()))
    assert (verdict.onset, report.onset) == (2, 40_000)
    judging.judge(window(130_000, reference()))
    assert judging.alert(report, verdict, MODEL).onset == 40_000


def test_remembering_a_window_counts_for_the_next_as_judging_it_would() -> None:
    straight, restarted = judge(), judge()
    straight.judge(window(0, moved()))
    restarted.remember(window(0, moved()))
    assert straight.judge(window(10_000, reference())) == restarted.judge(window(10_000, reference()))


@pytest.mark.parametrize(("between", "same"), [(2, False), (3, True)])
def test_the_history_is_as_long_as_the_longest_span_and_as_much_before_it(between: int, same: bool) -> None:
    """Two scales pool two windows, and those before them extend the reference up to a fourth; a fifth is forgotten."""
    remembering, young = judge(), judge()
    remembering.remember(window(0, moved() // 5))
    for number in range(between):
        for judging in (remembering, young):
            judging.remember(window(10_000 * (number + 1), reference() // 5))
    newest = window(10_000 * (between + 1), reference() // 5)
    assert (remembering.judge(newest) == young.judge(newest)) == same
