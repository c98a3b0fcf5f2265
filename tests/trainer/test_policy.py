"""Incidents and refreshes."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.messages import Dataset, DriftAlert, Incident, Model, PastIncident, TrainingRound
from schemas.pipeline import Duration, Retraining
from trainer.policy import (
    MAX_MULTIPLE,
    Progress,
    after_round,
    incident_due,
    meet,
    missing_labels,
    outcome,
    refresh_due,
    stretch,
)

SETTINGS = Retraining(min_new_labels=100, cooldown=Duration(600_000), refresh_labels=250)


def alert(end: int = 1_000_000, alert_id: str = "a") -> DriftAlert:
    return DriftAlert(alert_id=alert_id, kind="covariate", window_start=end - 10, window_end=end, scale=1,
                      onset=end - 500, features=["x"], sentence="x moved", budget="", profile="", labelled_offset=0,
                      model=Model(version="1", digest="", epoch=0))


def incident(**fields: int) -> Incident:
    return replace(Incident(incident_id="i", onset=0, opened=0), **fields)


def judged(multiple: int, incident_id: str = "i") -> TrainingRound:
    return TrainingRound(decision_id="d", trigger="incident", incident_id=incident_id, multiple=multiple,
                         dataset=Dataset(first=0, last=0, rows=1, digest=""))


def test_an_alert_opens_an_incident_at_its_onset() -> None:
    met = meet(alert(), None, None, SETTINGS)
    assert met.decided == "opened"
    assert met.incident is not None
    assert met.incident.onset == 999_500


def test_a_thousand_alerts_make_one_incident() -> None:
    current = meet(alert(), None, None, SETTINGS).incident
    for number in range(999):
        met = meet(alert(1_000_000 + number, f"a{number}"), current, None, SETTINGS)
        assert met.decided == "joined"
        current = met.incident
    assert current is not None
    assert current.alerts == 1_000


def test_within_the_cooldown_no_incident_opens() -> None:
    last = PastIncident(opened=1_000_000, settled=1_100_000)
    assert meet(alert(1_599_999), None, last, SETTINGS).decided == "suppressed"
    assert meet(alert(1_600_000), None, last, SETTINGS).decided == "opened"


def test_an_alert_of_a_window_before_the_last_incident_settled_opens_no_other() -> None:
    last = PastIncident(opened=1_000_000, settled=2_000_000)
    assert meet(alert(2_000_000), None, last, SETTINGS).decided == "suppressed"
    assert meet(alert(2_000_001), None, last, SETTINGS).decided == "opened"


def test_rounds_are_due_at_1_2_4_and_8_times_min_new_labels_and_no_later() -> None:
    current, due_at = incident(), []
    for labels in range(2_000):
        current = replace(current, labels=labels)
        due = incident_due(current, SETTINGS)
        if due is not None:
            due_at.append((labels, due.multiple))
            current = after_round(current, due.multiple)
    assert due_at == [(100, 1), (200, 2), (400, 4), (800, 8)]
    assert missing_labels(current, SETTINGS) == 0


@given(st.integers(0, 5_000))
def test_several_rounds_due_at_once_make_one_the_largest(labels: int) -> None:
    current = incident(labels=labels)
    due = incident_due(current, SETTINGS)
    assert (due is None) == (labels < 100)
    if due is not None:
        assert due.multiple * 100 <= labels
        assert due.multiple in (1, 2, 4, MAX_MULTIPLE)
        assert incident_due(after_round(current, due.multiple), SETTINGS) is None


def test_missing_labels_counts_up_to_the_next_round() -> None:
    assert missing_labels(incident(labels=30), SETTINGS) == 70
    assert missing_labels(incident(labels=130, next_multiple=2), SETTINGS) == 70


def test_a_refresh_needs_labels_and_event_time() -> None:
    settings = replace(SETTINGS, refresh_interval=Duration(1_000))
    progress = Progress(labels=250, event_time=1_000, refreshed_labels=0, refreshed_at=0)
    assert refresh_due(progress, settings) is not None
    assert refresh_due(Progress(labels=249, event_time=1_000, refreshed_labels=0, refreshed_at=0), settings) is None
    assert refresh_due(Progress(labels=250, event_time=999, refreshed_labels=0, refreshed_at=0), settings) is None


def test_fits_that_take_longer_than_their_budget_stretch_both() -> None:
    settings = replace(SETTINGS, refresh_interval=Duration(1_000), fit_seconds=10.0)
    assert [stretch(seconds, settings) for seconds in (0.0, 10.0, 10.1, 31.0)] == [1, 1, 2, 4]
    progress = Progress(labels=500, event_time=2_000, refreshed_labels=0, refreshed_at=0, stretch=2)
    assert refresh_due(progress, settings) is not None
    assert refresh_due(dataclasses.replace(progress, labels=499), settings) is None
    assert refresh_due(dataclasses.replace(progress, event_time=1_999), settings) is None


def test_without_refresh_labels_nothing_is_refreshed() -> None:
    progress = Progress(labels=10**6, event_time=10**12, refreshed_labels=0, refreshed_at=0)
    assert refresh_due(progress, replace(SETTINGS, refresh_labels=0)) is None


def test_an_incident_settles_when_a_larger_window_no_longer_helps() -> None:
    assert outcome(incident(), judged(1), promoted=False) is None
    assert outcome(incident(), judged(1), promoted=True) is None
    assert outcome(incident(promotions=1), judged(2), promoted=False) == "a larger window no longer helps"


def test_an_incident_ends_with_its_last_round() -> None:
    assert outcome(incident(promotions=1), judged(MAX_MULTIPLE), promoted=True) == "the last round is judged"
    assert (outcome(incident(), judged(MAX_MULTIPLE), promoted=False) or "").startswith("given up")


def test_rounds_of_others_do_not_end_an_incident() -> None:
    assert outcome(incident(promotions=1), judged(0, ""), promoted=False) is None
