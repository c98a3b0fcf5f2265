"""What must hold of a bad champion and of canaries can be missed."""

from typing import Any

import pytest

from bench.policies import canary, forced
from bench.policies.canary import Trial
from bench.policies.forced import Healing


def healing(**changed: Any) -> Healing:
    plain = {"best": 0.9, "forced": 0.2, "gone": 250, "healed": 500, "rounds": 4, "ended": "rolled-back"}
    return Healing(**plain | changed)


@pytest.mark.parametrize(("changed", "missed"), [
    ({}, set()), ({"forced": 0.6}, {0}), ({"gone": None}, {1}), ({"gone": 750}, {1}), ({"rounds": 5}, {2}),
    ({"ended": ""}, {3})])
def test_a_bad_champion_must_be_forced_gone_soon_without_a_loop_and_on_record(
        changed: dict[str, Any], missed: set[int]) -> None:
    found = forced.musts("by an operator", [healing(), healing(**changed)])
    assert {place for place, each in enumerate(found) if not each.met} == missed
    assert len(forced.table("by an operator", [healing(**changed)]).rows) == 1


@pytest.mark.parametrize(("kind", "ended", "met"), [
    ("much worse", "withdrawn", True), ("much worse", "promoted", False), ("better", "promoted", True),
    ("better", None, False)])
def test_a_worse_canary_must_be_withdrawn_and_a_better_one_promoted(kind: str, ended: str | None, met: bool) -> None:
    assert canary.musts(kind, [Trial(ended=ended, labels=250)])[0].met is met
