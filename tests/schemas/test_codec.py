"""Events and numbers: what is read, what is refused, and what a model is given."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import MAX_TS, MIN_TS, EventCodec, FeatureMatrix, canonical_label, decode, epoch_ms, event_type
from schemas.messages import Watermark
from schemas.pipeline import Feature, Identity, Pipeline

FEATURES = (
    Feature(name="a", type="number"), Feature(name="wind-speed (m/s)", type="number", optional=True),
    Feature(name="class", type="category", optional=True, default="none"),
    Feature(name="b", type="boolean", optional=True, default=False),
)
CODEC = EventCodec(Pipeline(pipeline=Identity(name="p", task="binary"), features=FEATURES))
EVENT = b'{"event_id":"e","ts":1,"features":{"a":%s}}'


@pytest.mark.parametrize("data", [
    EVENT % b'"1"', EVENT % b"true", EVENT % b"null", EVENT % b"1e999", EVENT % (b"9" * 5_000), EVENT % b"[1]", b"[]",
    b'{"event_id":1,"ts":1,"features":{"a":1}}', b'{"event_id":"e","ts":true,"features":{"a":1}}',
    b'{"event_id":"e","ts":1.5,"features":{"a":1}}', b'{"event_id":"e","ts":"yesterday","features":{"a":1}}',
    b'{"event_id":"e","ts":%s,"features":{"a":1}}' % (b"9" * 5_000), b'{"event_id":"e","features":{"a":1}}',
    b'{"event_id":"e","ts":1,"features":{}}', b'{"event_id":"e","ts":1,"features":{"a":1,"class":1}}',
    b'{"event_id":"e","ts":1,"features":{"a":1,"b":1}}',
])
def test_json_that_does_not_fit_is_a_validation_error(data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        CODEC.decode(data)


@pytest.mark.parametrize("data", [
    b"", b" ", b"{", EVENT % b"NaN", EVENT % b"Infinity", EVENT % b"1" + b"x", b"\xef\xbb\xbf" + EVENT % b"1",
    (EVENT % b"1").decode().encode("utf-16"), b'{"event_id":"\xff","ts":1,"features":{"a":1}}',
    b'{"event_id":"\xed\xa0\x80","ts":1,"features":{"a":1}}', b'{"event_id":"\\ud800","ts":1,"features":{"a":1}}',
    b'{"event_id":"\\udc00x","ts":1,"features":{"a":1}}', b'{"event_id":"\x00","ts":1,"features":{"a":1}}',
    b'{"x":' + b"[" * 100_000, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"x":' + b'{"a":' * 100_000,
])
def test_bytes_that_are_no_json_are_a_decode_error_but_no_validation_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        CODEC.decode(data)
    assert not isinstance(caught.value, msgspec.ValidationError)


@pytest.mark.parametrize("data", [
    b"[" * 100_000, b'{"x":' + b"[" * 100_000, b'{"x":"\xff","ts":"\xff"}', b"\xff", b"1"])
def test_bad_bytes_of_a_message_are_a_decode_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data, Watermark)


@given(st.binary())
def test_no_bytes_raise_anything_but_a_decode_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        CODEC.decode(data)


def test_an_absent_optional_feature_takes_its_default_and_null_stays_null() -> None:
    assert features(b'{"a":1}') == (1.0, None, "none", False)
    assert features(b'{"a":1,"wind-speed (m/s)":null,"class":null,"b":null}') == (1.0, None, None, None)
    assert features(b'{"b":true,"class":"x","wind-speed (m/s)":2,"a":1}') == (1.0, 2.0, "x", True)


def test_unknown_fields_are_ignored_and_of_a_duplicate_key_the_last_counts() -> None:
    assert features(b'{"a":1,"z":{"deep":[1]},"a":2}')[0] == 2.0
    event = CODEC.decode(b'{"event_id":"1","event_id":"2","ts":5,"features":{"a":1},"later":[{}],"v":2}')
    assert (event.event_id, event.ts, event.entity, event.v) == ("2", 5, "", 2)


def test_an_escaped_nul_is_text_like_any_other() -> None:
    assert CODEC.decode(b'{"event_id":"\\u0000","ts":1,"features":{"a":1}}').event_id == "\x00"


def features(data: bytes) -> tuple[Any, ...]:
    return CODEC.values(CODEC.decode(b'{"event_id":"e","ts":1,"features":' + data + b"}").features)


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(), st.text(), st.integers(MIN_TS, MAX_TS))
def test_what_was_encoded_is_what_is_decoded(number: float, event_id: str, category: str, ts: int) -> None:
    event = CODEC.decode(CODEC.encode(event_id, ts, "x", {"a": number, "class": category}))
    assert (event.event_id, event.ts, event.entity) == (event_id, ts, "x")
    assert CODEC.values(event.features) == (number, None, category, False)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-840, 840))
def test_a_time_is_the_same_millisecond_however_it_is_written(time: datetime, offset: int) -> None:
    time = time.replace(microsecond=time.microsecond // 1_000 * 1_000)
    expected = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert epoch_ms(time) == epoch_ms(time.replace(tzinfo=None)) == epoch_ms(expected) == expected
    if 2 < time.year < 9_998:
        assert epoch_ms(time.astimezone(timezone(timedelta(minutes=offset)))) == expected


@pytest.mark.parametrize("ts", [
    MIN_TS - 1, MAX_TS + 1, 10**30, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))])
def test_a_time_that_no_calendar_names_is_refused(ts: int | datetime) -> None:
    with pytest.raises(OverflowError, match="outside the years 1 to 9999"):
        epoch_ms(ts)


@pytest.mark.parametrize(("label", "text"), [
    (1.0, "1"), ("1", "1"), (0.0, "0"), (-0.0, "0"), (True, "true"), (False, "false"), (0.5, "0.5"), ("", ""),
    (1e22, "10000000000000000000000"),
])
def test_a_class_has_one_spelling(label: float | str | bool, text: str) -> None:
    assert canonical_label("binary", label) == canonical_label("multiclass", label) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.booleans())
def test_spelling_a_class_again_changes_nothing(label: float | str | bool) -> None:
    once = canonical_label("multiclass", label)
    assert canonical_label("multiclass", once) == once


@pytest.mark.parametrize("label", ["much", "nan", "inf", float("nan"), float("-inf"), ""])
def test_a_regression_label_that_is_no_finite_number_is_refused(label: float | str) -> None:
    with pytest.raises(ValueError, match=r"number|float"):
        canonical_label("regression", label)


def test_a_regression_label_is_a_number_even_as_text() -> None:
    assert canonical_label("regression", "1.5") == canonical_label("regression", 1.5) == 1.5


KINDS = st.sampled_from(["number", "category", "boolean"])
features_lists = st.lists(st.builds(Feature, name=st.just("f"), type=KINDS), min_size=1, max_size=5)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.none() | st.floats(), "category": st.none() | st.sampled_from(["x", "y", "unseen"]),
    "boolean": st.none() | st.booleans()}
CODES: dict[str, dict[Any, int]] = {"category": {"x": 0, "y": 1}, "boolean": {False: 0, True: 1}}


@given(features_lists, st.data())
def test_the_matrix_is_what_a_computation_row_by_row_gives(described: list[Feature], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(*(VALUES[f.type] for f in described)), max_size=6))
    matrix = FeatureMatrix(described)
    numbers, discrete = matrix.split(rows)
    found = matrix.join(numbers, discrete, [CODES[f.type] for f in described if f.type != "number"])
    expected = np.array([[cell(f, v) for f, v in zip(described, row, strict=True)] for row in rows], dtype=np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.reshape(len(rows), len(described)))
    assert numbers.dtype == np.float64
    assert numbers.shape == (len(rows), sum(f.type == "number" for f in described))


def cell(feature: Feature, value: Any) -> float:
    """A category's code, -1 for an unknown or missing one; NaN for a number that is missing or not finite."""
    if feature.type != "number":
        return CODES[feature.type].get(value, -1)
    with np.errstate(over="ignore"):
        number = np.float32(np.nan if value is None else value)
    return float(number) if np.isfinite(number) else np.nan


def test_the_schema_of_an_event_says_what_the_catalogue_knows_of_a_feature() -> None:
    features = (Feature(name="hour", type="number", min=0, max=23, owner="till", description="Of the day"),
                Feature(name="rate", type="number", optional=True, min=0.5), Feature(name="kind", type="category"))
    event = event_type(Pipeline(pipeline=Identity(name="p", task="binary"), features=features),
                       [feature.name for feature in features])
    schema = msgspec.json.schema_components((event,), ref_template="{name}")[1]["Features"]["properties"]
    assert {name: said.get("description") for name, said in schema.items()} == {
        "hour": "Of the day; range 0..23; owner till", "rate": "range 0.5..", "kind": ""}
