"""An event is found by its id or its entity, and it is said why its prediction was made."""

from playwright.sync_api import expect

from tests.console.conftest import Enter
from tests.console.stage import NAME, Stage

EXPLAINED_MS = 60_000


def test_an_event_is_found_and_explained_down_to_the_model(enter: Enter, stage: Stage) -> None:
    ((event, entity, version),) = stage.rows("select event_id, entity, model_version from {}.predictions limit 1")
    page = enter(f"/{NAME}/events")
    page.get_by_label("Event id").fill(str(event))
    page.get_by_label("Entity").fill(str(entity))
    page.get_by_role("button", name="Search").click()
    row = page.locator("#events-table .ag-row")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(str(event))
    row.locator("[col-id='event_id']").click()
    explained = page.locator("#events-explained")
    expect(explained).to_contain_text(f"version {version}", timeout=EXPLAINED_MS)
    expect(explained).to_contain_text("device_risk")


def test_what_nobody_predicted_is_said_to_be_missing(enter: Enter) -> None:
    page = enter(f"/{NAME}/events?event=nobody-ever-sent-this")
    expect(page.locator("#content")).to_contain_text("No such prediction")
