"""A change in the browser is the monitor's within seconds, stays after its restart, and a bad one is refused."""

import os
import re
import signal

from playwright.sync_api import Page, expect

from automl_stream.local_stack.processes import read_state
from schemas.messages import Configuration, DriftReport
from schemas.topics import CONFIG, DRIFT_STATS
from tests.console.conftest import Enter
from tests.console.stage import NAME, Stage

HEARD = "a new version of the definition"


def write(page: Page, key: str, value: str) -> None:
    field = page.get_by_label(key, exact=True)
    field.fill(value)
    field.blur()


def apply(page: Page, reason: str) -> None:
    page.get_by_role("button", name="Apply", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason, for the record").fill(reason)
    dialog.get_by_role("button", name="Apply", exact=True).click()


def monitor(stage: Stage) -> int:
    state = read_state(stage.home)
    assert state is not None
    return next(child.pid for child in state.children if child.name == f"{NAME}-monitor")


def test_a_bad_value_is_refused_with_its_reason_and_nothing_is_written(enter: Enter, stage: Stage) -> None:
    before = stage.count(CONFIG)
    page = enter(f"/{NAME}/configuration")
    write(page, "retraining.cooldown", "soon")
    expect(page.locator("#configuration-judged")).to_contain_text(
        "key 'retraining.cooldown': found 'soon'; expected a number and a unit")
    apply(page, "a try")
    expect(page.locator("#configuration-apply-said")).to_contain_text("Apply: not done")
    expect(page.locator("#configuration-apply-said")).to_contain_text("expected a number and a unit")
    assert stage.count(CONFIG) == before


def test_a_change_is_taken_within_five_seconds_and_outlives_a_restart(enter: Enter, stage: Stage) -> None:
    page = enter(f"/{NAME}/configuration")
    write(page, "drift.min_effect", "1000")
    expect(page.locator("#configuration-judged")).to_contain_text(
        "drift.min_effect: the monitor takes it within seconds")
    apply(page, "no alarms for a test")
    expect(page.locator("#configuration-apply-said")).to_contain_text("Apply: done", timeout=30_000)
    stage.until(lambda: HEARD in stage.log(f"{NAME}-monitor"), 5)
    expect(page.locator("#configuration-versions")).to_contain_text("no alarms for a test")
    version = stage.count(CONFIG) - 1
    written = stage.newest(CONFIG, Configuration)
    assert (written.by, written.reason) == ("ada", "no alarms for a test")
    assert re.search(r"min_effect = 1000", written.text)

    first = monitor(stage)
    os.kill(first, signal.SIGKILL)
    stage.until(lambda: monitor(stage) != first)
    judged = stage.count(DRIFT_STATS)
    stage.play_on()
    stage.until(lambda: stage.count(DRIFT_STATS) >= judged + 5)
    report = stage.newest(DRIFT_STATS, DriftReport)
    assert (report.config, report.alarm) == (version, False)


def test_of_two_pages_that_change_one_version_the_second_is_told(enter: Enter) -> None:
    pages = [enter(f"/{NAME}/configuration") for _ in range(2)]
    for number, page in enumerate(pages):
        write(page, "gate.min_rows", str(310 + number))
        expect(page.locator("#configuration-judged")).to_contain_text("gate.min_rows: the trainer takes it")
        apply(page, f"page {number}")
        expect(page.locator("#configuration-apply-said")).to_contain_text(
            "Apply: not done" if number else "Apply: done", timeout=30_000)
    expect(pages[1].locator("#configuration-apply-said")).to_contain_text("bring that one back")


def test_a_preview_sets_both_definitions_side_by_side(enter: Enter) -> None:
    page = enter(f"/{NAME}/configuration")
    write(page, "drift.false_alarms", "1 in 20 windows")
    expect(page.locator("#configuration-judged")).to_contain_text("drift.false_alarms")
    page.get_by_role("button", name=re.compile("Preview")).click()
    shown = page.locator("#configuration-previewed table")
    expect(shown).to_contain_text("Windows in alarm", timeout=120_000)
    expect(shown).to_contain_text("accuracy")
