"""An incident is told from its first alert to its end, with what the gate saw."""

import re

from playwright.sync_api import Locator, Page, expect

from console.pages.incidents.reading import Spoken, cases, runs
from schemas.messages import TrainingDecision, Verdict
from tests.console.conftest import Enter
from tests.console.stage import NAME, Stage


def spoken(position: int, incident: str | None, verdict: Verdict = "trained") -> Spoken:
    return Spoken(position=position, said=position, decision=TrainingDecision(
        decision_id=f"d{position}", incident_id=incident, trigger="alert", verdict=verdict, reason="", at=0))


def test_decisions_are_together_by_incident_and_alone_without_one() -> None:
    found = cases([spoken(5, "a"), spoken(4, None), spoken(3, "b"), spoken(2, "a"), spoken(1, None)])
    assert [[one.position for one in case.spoken] for case in found] == [[5, 2], [4], [3], [1]]


def test_alerts_that_only_join_are_one_line_until_something_else_is_said() -> None:
    verdicts: list[Verdict] = ["deferred", "suppressed", "suppressed", "trained", "rejected", "suppressed", "settled"]
    found = runs([spoken(position, "a", verdict) for position, verdict in enumerate(verdicts)])
    assert [[one.position for one in run] for run in found] == [[0], [1, 2], [3], [4], [5], [6]]
    assert len(list(runs([spoken(7, None, "suppressed")]))) == 1


ROUND = re.compile("refresh|incident")


def choose(page: Page, trigger: str | re.Pattern[str]) -> Locator:
    """The newest case that began so."""
    row = page.locator("#incidents-table .ag-row", has=page.locator("[col-id='trigger']", has_text=trigger)).first
    row.locator("[col-id='verdict']").click()
    return page.locator("#incidents-case")


def said(stage: Stage, verdict: str, trigger: re.Pattern[str]) -> None:
    """It is on record."""
    query = f"select count(*) > 0 from {{}}.decisions where verdict = '{verdict}' and trigger ~ '^({trigger.pattern})$'"
    stage.until(lambda: stage.rows(query) == [(True,)])


def test_an_incident_begins_with_its_alert(enter: Enter, stage: Stage) -> None:
    said(stage, "trained", re.compile("incident"))
    told = choose(enter(f"/{NAME}/incidents"), "incident")
    expect(told.locator(".head").first).to_contain_text(" alert")
    expect(told).to_contain_text("Trigger")


def test_a_promotion_is_found_by_its_verdict_and_shows_candidates_and_gate(enter: Enter, stage: Stage) -> None:
    said(stage, "promoted", ROUND)
    page = enter(f"/{NAME}/incidents")
    page.get_by_role("link", name="promoted", exact=True).click()
    page.wait_for_url("**/incidents?verdict=promoted")
    # The address changes before the page does: a row of the old list would be chosen, and the choice be gone with it.
    expect(page.get_by_role("link", name="promoted", exact=True)).to_have_attribute("title", "shown")
    told = choose(page, ROUND)
    expect(told).to_contain_text("fresh rows: loss")
    expect(told.locator("table").first).to_contain_text(re.compile("lightgbm|logistic"))


def test_a_verdict_that_never_was_leaves_no_empty_table(enter: Enter) -> None:
    page = enter(f"/{NAME}/incidents?verdict=failed")
    expect(page.locator("#content")).to_contain_text("Nothing was failed")
