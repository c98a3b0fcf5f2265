"""Pages of a pipeline with 500 features and 10,000 incidents come within a second, and what is markup stays text."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, expect

from console.pages import PAGES
from stream_apps.migrations.migrate import migrate
from tests.conftest import Backends
from tests.console import crowd
from tests.console.browsing import logged_in, settled
from tests.console.conftest import Enter
from tests.tiny import definition

SECONDS = 1.0
NEW = "brand_new"


@pytest.fixture(scope="module")
def url(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("crowd")
    file, empty = crowd.definition_file(place), place / "tiny.toml"
    crowd.fill(backends.database_url, file)
    empty.write_text(definition(NEW))
    migrate(backends.database_url, NEW)
    with crowd.console(backends, file, empty) as url:
        yield url
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f'drop schema "{crowd.NAME}" cascade; drop schema "{NEW}" cascade'.encode())


@pytest.mark.parametrize("shown", PAGES, ids=lambda page: page.slug)
def test_a_page_comes_within_a_second_and_markup_is_text(enter: Enter, url: str, shown: object) -> None:
    page = enter("/", url=url, token=crowd.TOKEN)
    title, slug = shown.title, shown.slug  # type: ignore[attr-defined]
    page.get_by_role("link", name=title, exact=True).click()
    page.wait_for_url(f"**/{crowd.NAME}/{slug}")
    expect(page.locator("#content h1")).to_have_text(title)
    page.wait_for_load_state("networkidle")
    took = page.evaluate("""() => performance.getEntriesByType('resource')
        .filter(asked => asked.name.includes('_dash-update-component')).map(asked => asked.duration / 1000)""")
    assert 0 < max(took) < SECONDS, f"{slug} took {took} s"
    assert page.locator(".state-away, .state-broken").count() == 0, page.locator("#content").inner_text()
    assert page.locator('img[src="x"]').count() == 0
    if slug != "configuration":  # there no word of the pipeline's own is in sight
        expect(page.locator("#content")).to_contain_text(crowd.MARKUP)


def test_a_pause_is_shown_however_many_alerts_ago_it_was_said(enter: Enter, url: str) -> None:
    for slug, place in (("models", "#models-now .tile-bad"), ("overview", ".at-trainer")):
        page = enter(f"/{crowd.NAME}/{slug}", url=url, token=crowd.TOKEN)
        expect(page.locator(place)).to_contain_text("paused")


def test_a_line_of_the_lineage_has_its_decision(enter: Enter, url: str) -> None:
    page = enter(f"/{crowd.NAME}/models", url=url, token=crowd.TOKEN)
    page.locator("#models-table .ag-row[row-index='0'] [col-id='version']").click()
    expect(page.locator("#models-detail")).to_contain_text("d99-promoted")


def test_a_window_is_found_by_its_address_however_old_it_is_or_said_to_be_gone(enter: Enter, url: str) -> None:
    address = f"/{crowd.NAME}/drift?last=10%26window="  # behind the login's own `?`
    page = enter(f"{address}{crowd.START}", url=url, token=crowd.TOKEN)
    began = datetime.fromtimestamp(crowd.START / 1_000, UTC).isoformat()
    expect(page.locator("#drift-report time").first).to_have_attribute("datetime", began)
    expect(page.locator("#drift-detail")).to_contain_text("How is")
    page = enter(f"{address}{crowd.START - crowd.SIZE}", url=url, token=crowd.TOKEN)
    expect(page.locator("#content")).to_contain_text("This window is gone")
    expect(page.locator("#drift-report")).to_have_count(0)


def test_what_was_asked_for_is_shown_again_after_a_session_has_ended(browser: Browser, url: str) -> None:
    address = f"/{crowd.NAME}/incidents?verdict=promoted"
    page = logged_in(browser.new_page(), url, address, crowd.TOKEN)
    page.context.clear_cookies()
    page.locator("#incidents-table .ag-row").last.locator("[col-id='verdict']").click()
    page.wait_for_url("**/login?to=*")
    page.get_by_label("Token").fill(crowd.TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{address}")
    page.context.close()


def told(enter: Enter, url: str, number: int) -> Locator:
    """How the incident that this alert opened went."""
    page = enter(f"/{crowd.NAME}/incidents?incident={crowd.incident_of(number)}", url=url, token=crowd.TOKEN)
    return page.locator("#incidents-case")


def test_an_incident_is_found_by_its_address_and_told_whole_however_long_it_was(enter: Enter, url: str) -> None:
    found = told(enter, url, crowd.SETTLED)
    expect(found).to_contain_text(f"{crowd.JOINED:,} alerts join the incident")
    expect(found.get_by_role("link", name="its window")).to_have_count(2)  # what opened it, and what joined it last
    expect(found).not_to_contain_text("Not all of it is here")
    found = told(enter, url, crowd.SETTLED - 1_000)
    expect(found).to_contain_text("settled")
    expect(found).not_to_contain_text("Not all of it is here")


def test_an_incident_that_is_older_than_what_is_looked_through_is_said_to_be(enter: Enter, url: str) -> None:
    expect(told(enter, url, 0)).to_contain_text("The newest 20,000 decisions say nothing of it")


@pytest.mark.parametrize("slug", [page.slug for page in PAGES])
def test_a_pipeline_that_has_seen_nothing_says_so(enter: Enter, url: str, slug: str) -> None:
    page = enter(f"/{NEW}/{slug}", url=url, token=crowd.TOKEN)
    settled(page)
    assert page.locator(".state-broken").count() == 0, page.locator("#content").inner_text()
    assert page.locator(".state-empty").count() > 0
