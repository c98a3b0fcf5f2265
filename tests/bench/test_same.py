"""Whatever differs between a demo and its backtest is found."""

from typing import Any

import pytest

from bench.policies.same import differences

DECISION = {"decision_id": "d1", "verdict": "trained", "reason": "why", "trigger": "refresh"}
ALERT = {"alert_id": "a1", "detector": "", "sentence": "x moved"}


def both() -> tuple[dict[str, Any], dict[str, Any]]:
    decisions = [DECISION, DECISION | {"verdict": "promoted"}]
    bootstrap = DECISION | {"decision_id": "d0", "trigger": "bootstrap"}
    return ({"alerts": [ALERT | {"scale": 1}], "decisions": [bootstrap, *decisions], "accuracy_live": 0.5},
            {"alerts": [ALERT | {"row": 7}], "decisions": decisions, "accuracy": 0.5})


def test_a_demo_and_a_backtest_that_agree_do_not_differ() -> None:
    assert differences(*both()) == []


@pytest.mark.parametrize("mutate", [
    lambda report: report["decisions"].pop(), lambda report: report["decisions"].pop(1),
    lambda report: report["decisions"].append(DECISION), lambda report: report["alerts"].clear(),
    lambda report: report["alerts"].__setitem__(0, ALERT | {"sentence": "y moved"}),
    lambda report: report["decisions"].__setitem__(1, DECISION | {"reason": "other"}),
    lambda report: report.update(accuracy_live=0.51)])
def test_a_decision_or_alert_that_is_missing_added_or_altered_is_found(mutate: Any) -> None:
    report_, backtest = both()
    mutate(report_)
    assert differences(report_, backtest)
