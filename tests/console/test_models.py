"""An operator's word in the browser reaches the trainer, and stands on record with who gave it and why."""

from playwright.sync_api import Page, expect

from schemas.messages import Command
from schemas.topics import COMMANDS
from tests.console.conftest import Enter
from tests.console.stage import NAME, Stage

ANSWER_MS = 60_000


def order(page: Page, name: str, reason: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason, for the record").fill(reason)
    dialog.get_by_role("button", name=name, exact=True).click()


def test_a_pause_is_ordered_answered_shown_and_taken_back(enter: Enter, stage: Stage) -> None:
    page = enter(f"/{NAME}/models")
    order(page, "Pause", "a holiday")
    expect(page.locator("#models-pause-said")).to_contain_text("Pause: done", timeout=ANSWER_MS)
    expect(page.locator("#models-pause-said")).to_contain_text("paused: ")
    command = stage.newest(COMMANDS, Command)
    assert (command.action, command.by, command.reason) == ("pause", "ada", "a holiday")
    expect(page.locator("#models-now .tile-bad")).to_contain_text("paused", timeout=ANSWER_MS)
    expect(page.locator("#models-orders")).to_contain_text("a holiday")
    order(page, "Resume", "back again")
    expect(page.locator("#models-resume-said")).to_contain_text("Resume: done", timeout=ANSWER_MS)
    expect(page.locator("#models-now")).to_contain_text("by itself", timeout=ANSWER_MS)


def test_an_older_version_is_promoted_and_rolled_back(enter: Enter, stage: Stage) -> None:
    page = enter(f"/{NAME}/models")
    champion = page.locator("#models-now .tile", has_text="Champion")
    serving = champion.locator(".tile-value").inner_text()
    page.locator("#models-table .ag-row").last.locator("[col-id='version']").click()
    expect(page.locator("#models-detail")).to_contain_text("none: it was the first")
    order(page, "Promote", "the first was better")
    expect(page.locator("#models-promote-said")).to_contain_text("Promote: done", timeout=ANSWER_MS)
    expect(champion.locator(".tile-value")).not_to_have_text(serving, timeout=ANSWER_MS)
    expect(page.locator("#models-table .ag-row[row-index='0']")).to_contain_text("ada")
    order(page, "Roll back", "it was not")
    expect(page.locator("#models-rollback-said")).to_contain_text("Roll back: done", timeout=ANSWER_MS)
    expect(champion.locator(".tile-value")).to_have_text(serving, timeout=ANSWER_MS)
    assert stage.newest(COMMANDS, Command).action == "rollback"


def test_without_a_choice_nothing_is_promoted(enter: Enter, stage: Stage) -> None:
    before = stage.count(COMMANDS)
    page = enter(f"/{NAME}/models")
    order(page, "Promote", "any")
    expect(page.locator("#models-promote-said")).to_contain_text("no version is chosen")
    assert stage.count(COMMANDS) == before
