"""A thousand alerts for one change make one incident, one training at a time, and none that no decision names."""

import pytest

from bench.policies import segments, storm
from bench.policies.storm import ALERTS, LATE, Storm


@pytest.fixture(scope="module")
def seen() -> Storm:
    """All alerts but the late ones, and more of those that come at once in their place."""
    alerts = storm.thousand()
    return storm.storm(segments.pipeline(retraining={"refresh_labels": 0}), alerts[:1] * LATE + alerts[:-LATE])


def test_a_thousand_alerts_are_one_incident_and_train_what_the_policy_names(seen: Storm) -> None:
    assert seen.alerts == ALERTS
    assert len(seen.incidents) == 1
    assert seen.most_at_once == 1
    assert seen.unnamed == []
    assert 1 <= seen.rounds <= 4
    assert len(seen.fitted) == len(seen.named)
    assert all(must.met for must in storm.musts(seen))


def test_every_alert_is_on_record_once_and_the_first_as_the_training_that_it_began(seen: Storm) -> None:
    alerts = [d.decision_id for d in seen.decisions if d.trigger.startswith("alert")]
    assert seen.decisions[0].verdict == "trained"
    assert len(alerts) == len(set(alerts)) == ALERTS - 1


def test_alerts_about_windows_of_before_that_come_after_the_incident_settled_open_no_other() -> None:
    first, *_ = storm.thousand()
    late = storm.thousand()[-LATE:]
    seen = storm.storm(segments.pipeline(retraining={"refresh_labels": 0}), [first, *late])
    assert len(seen.incidents) == 1


def test_a_second_incident_two_fits_at_once_and_a_fit_that_nobody_named_are_found() -> None:
    named = ("lightgbm", "digest")
    bad = Storm(alerts=2, incidents={"a", "b"}, named=[named], fitted=[named, named], most_at_once=2)
    assert bad.unnamed == [named]
    assert [must.met for must in storm.musts(bad)] == [False, False, False]
