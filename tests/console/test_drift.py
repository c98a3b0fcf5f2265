"""A window and a feature are told in words, and drawn against their reference."""

import re

from playwright.sync_api import expect

from tests.console.conftest import Enter
from tests.console.stage import NAME


def test_a_window_in_alarm_says_what_moved_and_shows_it_against_the_reference(enter: Enter) -> None:
    page = enter(f"/{NAME}/drift")
    expect(page.locator("#drift-report")).to_contain_text("Drift:")
    expect(page.locator("#drift-detail")).to_contain_text("an alarm.")
    expect(page.locator("#drift-distribution .bars")).to_have_count(2)  # reference and window
    assert page.locator("#drift-distribution .bars .point").count() > 20


def test_a_feature_is_chosen_by_keyboard(enter: Enter) -> None:
    page = enter(f"/{NAME}/drift")
    cell = page.locator("#drift-table .ag-row[row-index='2'] .ag-cell[col-id='name']")
    name = cell.inner_text()
    page.locator("#drift-table .ag-row[row-index='1'] .ag-cell[col-id='name']").click()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#drift-detail")).to_contain_text(f"How is {name} distributed?")


def test_a_click_on_the_map_chooses_window_and_feature(enter: Enter) -> None:
    page = enter(f"/{NAME}/drift")
    chosen = page.locator("#drift-window")
    expect(chosen).to_have_value(re.compile("alarm"))
    page.locator("#drift-heat .nsewdrag").click(position={"x": 8, "y": 8})
    expect(chosen).not_to_have_value(re.compile("alarm"))
    expect(page.locator("#drift-report")).to_contain_text("No alarm")
