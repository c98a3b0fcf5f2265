"""The filters, and how a time is written."""

import pytest

from automl_stream.dead_letters.selection import Selection, moment

from .letters import WRITTEN, letter, source


def test_without_filters_every_letter_passes() -> None:
    assert letter(source(1), "expired", None, last=4) in Selection()


@pytest.mark.parametrize(("selection", "passes"), [
    (Selection(reasons=["future", "invalid"]), True),
    (Selection(reasons=["future"]), False),
    (Selection(partitions=[0, 3]), True),
    (Selection(partitions=[3]), False),
    (Selection(sources=[source(1)]), True),
    (Selection(sources=[source(2)]), False),
    (Selection(since=WRITTEN, until=WRITTEN + 1), True),
    (Selection(since=WRITTEN + 1), False),
    (Selection(until=WRITTEN), False),
    (Selection(contains="äb"), True),
    (Selection(contains="needs a"), True),
    (Selection(contains="nowhere"), False),
    (Selection(contains="äb", reasons=["future"]), False),
])
def test_a_letter_passes_when_all_filters_agree(selection: Selection, passes: bool) -> None:
    found = letter(source(1), "invalid", '\x00{"äb"'.encode(), detail="needs a number")
    assert (found in selection) is passes


@pytest.mark.parametrize(("text", "expected"), [
    ("2h", WRITTEN - 7_200_000), ("0s", WRITTEN), ("1970-01-01T00:00:01Z", 1_000), ("1970-01-01T00:00:01", 1_000),
    ("1970-01-01T02:00:01+02:00", 1_000), ("1970-01-02", 86_400_000),
])
def test_a_time_is_rfc_3339_or_a_span_back_from_now(text: str, expected: int) -> None:
    assert moment(text, WRITTEN) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2 h", "-2h", "2026-13-01"])
def test_another_time_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected RFC 3339"):
        moment(text, WRITTEN)
