"""What pages say of reports and decisions follows from them alone."""

from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from console.live import Pulse
from console.logs import Logs, TrainerStatus
from console.pages.drift.reading import FeatureSeen, WindowSeen, _evidence, threshold_of
from console.pages.drift.words import sentence
from console.pages.overview.loop import lag_tone
from console.pages.overview.page import budget_tile
from console.pages.overview.reading import Overview
from console.site import Site, Visit
from drift.decision import Decider, DecisionSettings
from drift.profile import ReferenceProfile
from schemas.codec import encode
from schemas.messages import FeatureDrift, TrainingDecision
from tests.tiny import profile_bytes, tiny_pipeline


def decision(verdict: Any, incident: str | None = None, reason: str = "", name: str = "d") -> TrainingDecision:
    return TrainingDecision(decision_id=name, incident_id=incident, trigger="t", verdict=verdict, reason=reason, at=0)


def status(*decisions: TrainingDecision) -> TrainerStatus:
    found = TrainerStatus()
    for position, one in enumerate(decisions):
        found.read(position, encode(one))
    return found


@pytest.mark.parametrize(("decisions", "found"), [
    ([], None),
    ([decision("deferred", "i1"), decision("trained")], "i1"),
    ([decision("deferred", "i1"), decision("settled", "i1"), decision("promoted", "i2")], "i2"),
    ([decision("deferred", "i1"), decision("settled", "i1"), decision("trained")], None),
    ([decision("deferred", "i1"), decision("settled", "i1"), decision("deferred", "i2"), decision("failed", "i1")],
     "i2"),
    ([decision("deferred", "i1"), *[decision("suppressed")] * 1_000], "i1"),
])
def test_the_open_incident_is_the_last_that_was_not_settled(decisions: list[TrainingDecision],
                                                            found: str | None) -> None:
    assert status(*decisions).incident == found


def test_the_newest_word_says_whether_it_is_paused_however_many_alerts_ago_it_was_said() -> None:
    suppressed = [decision("suppressed", reason="paused: by ada")] * 1_000
    assert status(decision("resumed"), decision("paused", reason="by ada"), *suppressed).paused == "by ada"
    assert status(decision("paused", reason="by ada"), decision("resumed"), *suppressed).paused is None


class Stored:
    """Decisions in order of their position, and how many were looked through by id."""

    pipeline = "tiny"

    def __init__(self, *decisions: TrainingDecision) -> None:
        self.decisions = list(decisions)
        self.looked = 0

    def said(self, _topic: object) -> int:
        return len(self.decisions)

    def rows(self, _query: str, *, since: int, ids: list[bytes], **_values: object) -> list[dict[str, bytes]]:
        self.looked += len(self.decisions) - since
        return [{"value": encode(one)} for one in self.decisions[since:] if one.decision_id.encode() in ids]


def test_the_record_is_looked_through_once_for_the_same_decisions_and_then_only_for_what_is_new() -> None:
    stored, logs = Stored(*(decision("trained", name=f"d{k}") for k in range(9))), Logs()

    def found(*ids: str) -> dict[str, str]:
        return {name: one.verdict for name, one in logs.decisions(stored, ids).items()}  # type: ignore[arg-type]

    assert found("d1", "d2", "none yet") == found("d1", "d2", "none yet") == {"d1": "trained", "d2": "trained"}
    assert stored.looked == 9
    stored.decisions.append(decision("promoted", name="d2"))
    stored.decisions.append(decision("rejected", name="none yet"))
    assert found("d1", "d2", "none yet") == {"d1": "trained", "d2": "promoted", "none yet": "rejected"}
    assert stored.looked == 11
    assert found("d1", "d3") == {"d1": "trained", "d3": "trained"}
    assert stored.looked == 22


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


def test_false_alarms_that_the_budget_allows_are_called_that_and_not_spent() -> None:
    visit = Visit(site=cast("Site", None), name="tiny", query={}, caller="ada", zone=ZoneInfo("UTC"))
    tile = str(budget_tile(Overview(
        pipeline=tiny_pipeline(), pulse=Pulse(), report=None, windows=3_000, alerts=0, champion=None, swaps=0,
        quality=None, incident=None, paused=None, words=[]), visit))
    assert "False alarms allowed so far" in tile
    assert "children='3'" in tile
    assert "1 in 1000 windows" in tile
