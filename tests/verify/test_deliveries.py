"""What a record of `events` is: a row, a watermark, or what must end as a dead letter."""

import pytest

from automl_stream.topic_log import Record
from automl_stream.verify.deliveries import Row, read_deliveries
from schemas.codec import WATERMARK_HEADER
from schemas.messages import Watermark

from .model import tiny_pipeline
from .run import WALL

HOUR = 3_600_000
GOOD = b'{"event_id":"e","ts":1000,"features":{"a":1,"c":"x"}}'


def content(value: bytes | None, *headers: tuple[str, bytes], timestamp: int = WALL) -> object:
    record = Record(partition=1, offset=7, timestamp=timestamp, key=None, value=value, headers=headers)
    return read_deliveries(tiny_pipeline(), "id", [record])["id-1-7"].content


def test_an_event_is_a_row_with_its_defaults() -> None:
    assert content(GOOD) == Row(event_id="e", entity="", ts=1_000, features=(1.0, None, "x"))


def test_a_watermark_is_told_by_its_header() -> None:
    assert content(b'{"ts":5,"ends":true}', WATERMARK_HEADER) == Watermark(ts=5, ends=True)


@pytest.mark.parametrize("value", [
    None, b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, GOOD.replace(b"1000", b"9" * 5_000),
    GOOD.replace(b"1000", b"253402300800000"),
])
def test_what_cannot_be_read_is_neither_row_nor_watermark(value: bytes | None) -> None:
    assert isinstance(content(value), str)
    assert isinstance(content(value, WATERMARK_HEADER), str)


@pytest.mark.parametrize("number", [b'"1"', b"1e999", b"true", b"null"])
def test_a_feature_of_another_type_is_no_row(number: bytes) -> None:
    assert isinstance(content(GOOD.replace(b'"a":1', b'"a":' + number)), str)


def test_what_is_more_than_an_hour_ahead_of_its_record_is_no_row_and_no_watermark() -> None:
    on_time, ahead = str(WALL + HOUR).encode(), str(WALL + HOUR + 1).encode()
    assert isinstance(content(GOOD.replace(b"1000", on_time)), Row)
    assert isinstance(content(GOOD.replace(b"1000", ahead)), str)
    assert isinstance(content(b'{"ts":' + ahead + b"}", WATERMARK_HEADER), str)
    assert isinstance(content(GOOD, timestamp=2**63 - 1), str)
