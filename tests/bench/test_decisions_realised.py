"""What the benchmark judges is the product's decision, and its ratio finds a decision that breaks its budget."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from bench.decisions import realised, streams
from bench.decisions.judging import WindowJudge
from bench.decisions.realised import Case, alarmed, cells, interval, share_alarmed
from bench.decisions.streams import STREAMS
from drift.decision import Decider, DecisionSettings
from drift.profile import FeatureColumn, ReferenceProfile, build_profile

MIXED = "mixed, correlated, AR(1) .5, 2 % missing"


@pytest.mark.parametrize(("stream", "least"), [(MIXED, 0.0), (MIXED, 0.05), ("AR(1) .5", 0.05)])
def test_many_windows_at_once_are_judged_as_window_by_window(stream: str, least: float) -> None:
    rng = np.random.default_rng(0)
    rows = STREAMS[stream].draw(rng, 400 + 80 * 50, 4)
    rows[2_400:, 1] += 1.5
    rows[3_000:, 3] *= 3
    profile = STREAMS[stream].profile(rows[:400])
    history = STREAMS[stream].counts(profile, rows[400:], 50)
    history[[3, 45, 60]] = 0  # nothing came
    history[50] //= 2  # fewer rows than are judged
    settings = DecisionSettings(budget_windows=20, min_effect=least)
    decider, judge = Decider(profile, settings), WindowJudge(profile, settings)
    found = (judge.log_p(history, np.arange(len(history))) < decider.threshold) & judge.calibrated
    names = np.array([feature.name for feature in profile.features])
    seen = 0
    for end, alarms in enumerate(found, start=1):
        verdict = decider.decide(history[max(0, end - settings.history_windows):end])
        assert {feature.name for feature in verdict.features if feature.alarm} == set(names[alarms])
        seen += verdict.alarm
    assert 10 < seen < len(history) - 10


def test_features_share_a_budget_only_with_those_of_their_group() -> None:
    log_p = np.full((4, 20), 0.0)
    log_p[0, 3] = -np.log(100 * 10 * len(realised.SETTINGS.spans)) - 1e-9  # enough among ten
    assert share_alarmed(log_p, 10, 100) == 1 / 8
    assert share_alarmed(log_p, 1, 100) == 1 / 80
    assert share_alarmed(log_p, 1, 10_000) == 0


def test_the_interval_resamples_draws() -> None:
    ratio, low, high = interval(np.repeat([0.0, 2.0], 50))
    assert ratio == 1
    assert low == pytest.approx(1 - 1.645 * 0.1, abs=0.03)
    assert high == pytest.approx(1 + 1.645 * 0.1, abs=0.03)


@pytest.mark.parametrize("cases", [realised.QUICK, realised.FULL])
def test_every_ratio_has_a_name_of_its_own(cases: Sequence[Case]) -> None:
    names = [cell.name for case in cases for cell in cells(case, np.zeros((2, len(case.levels))))]
    assert len(set(names)) == len(names)


def without_dependence(columns: Sequence[FeatureColumn], *, longest_cycle: int | None = None) -> ReferenceProfile:
    profile = build_profile(columns, longest_cycle=longest_cycle)
    return ReferenceProfile(features=tuple(
        msgspec.structs.replace(feature, design_effect=(1.0,) * len(feature.design_effect))
        for feature in profile.features))


def test_a_decision_that_forgets_the_dependence_between_rows_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(stream="AR(1) .9", judged=20)
    sound = cells(case, alarmed(case, range(10)))
    monkeypatch.setattr(streams, "build_profile", without_dependence)
    broken = cells(case, alarmed(case, range(10)))
    assert not any(cell.exceeds for cell in sound)
    assert all(cell.exceeds for cell in broken)
    assert broken[0].ratio > 20
