"""The list shows the newest and counts all."""

from typing import get_args

import pytest

from automl_stream.dead_letters.command import REASONS
from automl_stream.dead_letters.listing import make_listing, print_listing
from schemas.messages import DeadLetterReason

from .letters import TOPIC_ID, letter, source


def test_the_newest_are_listed_and_all_are_counted_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    letters = [letter(source(k), "invalid" if k % 3 else "future", b"x" * 1_234, detail=f"[red]\x1b {k}")
               for k in range(10)]
    listing = make_listing(letters, 2, TOPIC_ID)
    assert [line.source for line in listing.letters] == [str(source(8)), str(source(9))]
    assert listing.totals == {"invalid": 6, "future": 4}
    print_listing(listing)
    out = capsys.readouterr().out
    assert "10 dead letters, the newest 2 shown; invalid 6; future 4" in out
    assert r"[red]\x1b 9" in out
    assert "1,234" in out
    assert str(source(9)) in out


def test_a_letter_of_a_topic_that_was_deleted_since_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    listing = make_listing([letter(source(1, topic_id="former"), raw=None)], 5, TOPIC_ID)
    assert (listing.letters[0].former_topic, listing.letters[0].bytes) == (True, None)
    print_listing(listing)
    assert "(former topic) why" in capsys.readouterr().out


def test_no_letters_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_listing(make_listing([], 5, TOPIC_ID))
    assert capsys.readouterr().out == "0 dead letters\n"


def test_the_command_offers_the_closed_list_of_reasons() -> None:
    assert get_args(DeadLetterReason) == REASONS
