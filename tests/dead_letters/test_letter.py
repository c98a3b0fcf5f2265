"""A source is read as it is written, and each source has one letter."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_stream.dead_letters.letter import LetterRecord, Source, distinct_letters

from .letters import content, letter, record, source

IDS = st.text("abcXYZ019-_", min_size=1)
COUNTS = st.integers(0, 2**63 - 1)


@given(IDS, COUNTS, COUNTS)
def test_a_source_is_read_as_it_is_written_whatever_hyphens_its_topic_id_has(topic: str, part: int, at: int) -> None:
    assert Source.parse(str(Source(topic, part, at))) == (topic, part, at)


@pytest.mark.parametrize("text", ["", "abc", "abc-1", "-1-2", "abc-x-2", "abc-1-", "abc-1-²"])
def test_what_is_no_source_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="is no source; expected"):
        Source.parse(text)


def test_of_several_letters_of_one_source_the_first_counts() -> None:
    records = [record(0, content(source(5))), record(1, content(source(6))), record(2, content(source(5), "poison"))]
    found = list(distinct_letters(records, pytest.fail))
    assert [(x.source.offset, x.offset, x.content.reason) for x in found] == [(5, 0, "invalid"), (6, 1, "invalid")]


def test_a_range_that_begins_at_a_letters_source_is_a_letter_of_its_own() -> None:
    records = [record(0, content(source(5))), record(1, content(source(5), "expired", None, last=9))]
    assert len(list(distinct_letters(records, pytest.fail))) == 2


def test_a_record_that_is_no_dead_letter_is_named_and_left_out() -> None:
    heard: list[str] = []
    bad = content(source(1))
    records = [LetterRecord(0, 0, None), LetterRecord(1, 0, b'{"v":1}'), LetterRecord(2, 0, b'"\xff"'),
               record(3, msgspec.structs.replace(bad, source="nowhere")), record(4, bad)]
    assert [x.offset for x in distinct_letters(records, heard.append)] == [4]
    assert [text.partition(":")[0] for text in heard] == ["offset 0", "offset 1", "offset 2", "offset 3"]


def test_a_range_covers_the_offsets_that_retention_removed_and_no_others() -> None:
    expired = letter(source(5), "expired", None, last=9)
    assert [offset for offset in range(12) if expired.covers(source(offset))] == [5, 6, 7, 8, 9]
    assert not expired.covers(source(7, partition=1))
    assert not expired.covers(source(7, topic_id="former"))
