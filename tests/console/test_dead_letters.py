"""A dead letter is shown as text, and comes back into events by a click; nothing in it is taken for markup."""

from confluent_kafka import Producer
from playwright.sync_api import expect

from console.pages.dead_letters.reading import as_text
from schemas.topics import DEAD_LETTERS, EVENTS, topic_name
from tests.console.conftest import Enter
from tests.console.stage import NAME, Stage

BAD = b"{<img src=x onerror=alert(1)>\xff\x1b"
SENT_MS = 60_000


def test_bytes_of_a_stranger_are_text() -> None:
    assert as_text(b'{"a": "\xff\x1b\x00", "b": "\xc5\xbe"}\n') == '{"a": "\\xff\\x1b\\x00", "b": "\u017e"}\n'
    assert as_text(b"x" * 20_001).endswith("and 1 bytes more")


def test_a_dead_letter_is_inspected_and_replayed(enter: Enter, stage: Stage) -> None:
    producer = Producer(stage.backends.kafka.librdkafka())
    producer.produce(topic_name(NAME, EVENTS), BAD, b"card-1")
    producer.flush(30)
    stored = f"select count(*) > 0 from {{}}.messages where topic = '{topic_name(NAME, DEAD_LETTERS)}'"
    stage.until(lambda: stage.rows(stored) == [(True,)])
    page = enter(f"/{NAME}/dead-letters")
    page.locator("#dead-letters-table .ag-row[row-index='0'] [col-id='detail']").click()
    expect(page.locator("#dead-letters-letter pre")).to_have_text("{<img src=x onerror=alert(1)>\\xff\\x1b")
    before = stage.count(EVENTS)
    page.get_by_role("button", name="Replay the chosen one").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay the chosen one").click()
    expect(page.locator("#dead-letters-replay-said")).to_contain_text("1 sent and confirmed", timeout=SENT_MS)
    assert stage.count(EVENTS) > before


def test_what_was_replayed_is_left_alone_when_all_of_its_reason_are(enter: Enter) -> None:
    page = enter(f"/{NAME}/dead-letters")
    page.get_by_role("link", name="malformed").click()
    page.wait_for_url("**/dead-letters?reason=malformed")
    page.get_by_role("button", name="Replay all of this reason").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay all of this reason").click()
    expect(page.locator("#dead-letters-all-said")).to_contain_text("replayed before", timeout=SENT_MS)
