"""What pages say of reports and decisions follows from them alone."""

from typing import Any

import numpy as np
import pytest

from console.live import Pulse
from console.pages.drift.reading import FeatureSeen, WindowSeen, _evidence, threshold_of
from console.pages.drift.words import sentence
from console.pages.overview.loop import lag_tone
from console.pages.overview.reading import open_incident, paused
from drift.decision import Decider, DecisionSettings
from drift.profile import ReferenceProfile
from schemas.messages import FeatureDrift, TrainingDecision
from tests.tiny import profile_bytes, tiny_pipeline


def decision(verdict: Any, incident: str | None = None, reason: str = "") -> TrainingDecision:
    return TrainingDecision(decision_id="d", incident_id=incident, trigger="t", verdict=verdict, reason=reason, at=0)


@pytest.mark.parametrize(("newest_first", "found"), [
    ([], None),
    ([decision("trained"), decision("deferred", "i1")], "i1"),
    ([decision("promoted", "i2"), decision("settled", "i1"), decision("deferred", "i1")], "i2"),
    ([decision("trained"), decision("settled", "i1"), decision("deferred", "i1")], None),
])
def test_the_open_incident_is_the_last_that_was_not_settled(newest_first: list[TrainingDecision],
                                                            found: str | None) -> None:
    assert open_incident(newest_first) == found


def test_the_newest_word_says_whether_it_is_paused() -> None:
    assert paused([decision("trained"), decision("paused", reason="by ada"), decision("resumed")]) == "by ada"
    assert paused([decision("resumed"), decision("paused", reason="by ada")]) is None


def test_a_threshold_is_the_one_that_the_monitor_decides_by() -> None:
    pipeline, profile = tiny_pipeline(), ReferenceProfile.decode(profile_bytes())
    budget = pipeline.drift.false_alarms.windows(pipeline.windows.size)
    settings = DecisionSettings(budget_windows=budget, scales=pipeline.drift.scales)
    assert threshold_of(pipeline, len(profile.features)) == pytest.approx(Decider(profile, settings).threshold)


def window(start: int, **log_p: float) -> WindowSeen:
    features = [FeatureSeen(name=name, effect=0.1, log_p=value, alarm=False) for name, value in log_p.items()]
    return WindowSeen(threshold=-10.0, window_start=start, window_end=start + 1, rows=1, alarm=False, verdict="",
                      features=features)


def test_the_map_has_the_strongest_feature_first_and_nothing_where_a_window_lacks_one() -> None:
    names, evidence = _evidence([window(0, a=-1.0, b=-5.0), window(1, a=-2.0, c=-20.0)])
    assert names == ["c", "b", "a"]
    assert np.array_equal(evidence, [[np.nan, 2.0], [0.5, np.nan], [0.1, 0.2]], equal_nan=True)


def feature(**values: Any) -> FeatureDrift:
    plain: dict[str, Any] = {"name": "amount", "rows": 100, "missing": 0.0, "ks": None, "psi": None, "effect": -0.5,
                             "jensen_shannon": None, "lower_bound": 0.4, "log_p": -20.0, "scale": 3,
                             "contrast": "location", "calibrated": True, "alarm": True}
    return FeatureDrift(**(plain | values))


@pytest.mark.parametrize(("found", "words"), [
    (feature(), "amount lies lower, by 0.50 reference standard deviations (at least 0.40) over the last 3 windows."),
    (feature(), "That is significant under the budget and large enough to matter: an alarm."),
    (feature(alarm=False), "significant, but too small to matter"),
    (feature(alarm=False, calibrated=False, uncalibrated="too few rows"), "significant, but silent: too few rows"),
    (feature(alarm=False, log_p=-5.0, scale=1), "over this window. Its evidence is 50 % of what the budget asks for"),
    (feature(alarm=False, contrast="missing", effect=0.2), "is missing more often, by 0.20 in Cohen's h"),
    (feature(alarm=False, contrast="", rows=3), "amount was not tested in this window: it has 3 rows."),
])
def test_a_feature_is_told_in_a_sentence(found: FeatureDrift, words: str) -> None:
    assert words in sentence(found, -10.0)


@pytest.mark.parametrize(("waiting", "rate", "tone"), [(0, 100.0, None), (400, 100.0, None), (1_000, 100.0, "watch"),
                                                       (10_000, 100.0, "bad"), (10_000, 50_000.0, None)])
def test_what_waits_is_bad_by_the_time_that_it_took_to_come(waiting: int, rate: float, tone: str | None) -> None:
    assert lag_tone(Pulse(rates={"events": rate}, lags={"score": waiting}), "score", "events") == tone
