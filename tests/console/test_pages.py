"""Every page against a live stack: nothing fails, nothing is empty, nothing is out of reach."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from console.pages import PAGES
from tests.console.browsing import PHONE, settled
from tests.console.conftest import Enter
from tests.console.stage import NAME

SLUGS = [page.slug for page in PAGES]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_shows_what_the_stack_did(enter: Enter, slug: str, scheme: str) -> None:
    page = enter(f"/{NAME}/{slug}", color_scheme=scheme)
    settled(page)
    assert page.locator(".state-away, .state-broken").count() == 0, page.locator("#content").inner_text()
    for panel in page.locator("#content section").all():
        heading, *content = panel.inner_text().strip().split("\n")
        assert "".join(content).strip() or panel.locator("svg, canvas, input").count(), f"'{heading}' is empty"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_fits_a_phone(enter: Enter, slug: str) -> None:
    page = enter(f"/{NAME}/{slug}", viewport=PHONE)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
