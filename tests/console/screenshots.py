"""`python -m tests.console.screenshots`: the pictures of docs/console.md, of a stack of its own."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from confluent_kafka import Producer
from playwright.sync_api import Browser

from console.pages import PAGES
from schemas.topics import DEAD_LETTERS, EVENTS, topic_name
from tests.conftest import start_local
from tests.console.browsing import DESKTOP, logged_in, open_browser, settled
from tests.console.stage import NAME, Stage, pipeline_file

IMAGES = Path(__file__).parents[2] / "docs/images"
DEAD = f"select count(*) > 0 from {{}}.messages where topic = '{topic_name(NAME, DEAD_LETTERS)}'"
JUDGED = "select count(*) > 0 from {}.decisions where trigger <> 'bootstrap' and verdict in ('promoted', 'rejected')"


def main() -> None:
    """Play a stream, and take a picture of every page."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as place:
        home = Path(place)
        stage = Stage(home=home, file=pipeline_file(home), backends=start_local(stack, home / "infrastructure"))
        browser = stack.enter_context(open_browser())
        with stage.up():
            stage.play()
            stage.play_on()
            producer = Producer(stage.backends.kafka.librdkafka())
            producer.produce(topic_name(NAME, EVENTS), b'{"event_id": "e-7", "entity": "card-9", "ts"', b"card-9")
            producer.flush(30)
            stage.until(lambda: stage.rows(JUDGED) == [(True,)])
            stage.until(lambda: stage.rows(DEAD) == [(True,)])
            take(browser, stage.url)


def take(browser: Browser, url: str) -> None:
    """A picture of every page, as wide as a small laptop."""
    IMAGES.mkdir(exist_ok=True)
    for shown in PAGES:
        context = browser.new_context(viewport=DESKTOP, color_scheme="light")
        page = logged_in(context.new_page(), url, f"/{NAME}/{shown.slug}")
        settled(page)
        page.screenshot(path=IMAGES / f"console-{shown.slug}.png")
        context.close()


if __name__ == "__main__":
    main()
