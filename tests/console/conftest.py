"""One stack and one browser for all tests of the console; each test has a page of its own, already logged in."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.conftest import Backends
from tests.console.browsing import DESKTOP, PATIENCE_MS, logged_in, open_browser
from tests.console.stage import NAME, TOKEN, Stage, pipeline_file

Enter = Callable[..., Page]


@pytest.fixture(scope="package")
def stage(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("console")
    stage = Stage(home=home, file=pipeline_file(home), backends=backends)
    with stage.up():
        stage.play()
        yield stage
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f'drop schema if exists "{NAME}" cascade'.encode())


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with open_browser() as browser:
        yield browser


@pytest.fixture
def enter(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Enter]:
    """Opens a page of somebody who has logged in, else of the stage; what the browser complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.type}: {message.text}")

    def enter(path: str, url: str = "", token: str = TOKEN, **options: object) -> Page:
        context = browser.new_context(**({"viewport": DESKTOP} | options))  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        return logged_in(page, url or request.getfixturevalue("stage").url, path, token)

    yield enter
    for context in contexts:
        context.close()
    assert complaints == []
