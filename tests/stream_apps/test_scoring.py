"""Every record ends as exactly one of prediction, dead letter, and watermark; nothing in it can raise."""

from bisect import bisect_left
from collections import Counter
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from drift.profile import ReferenceProfile
from schemas.avro import AvroEventCodec
from schemas.codec import WATERMARK_HEADER, decode, encode
from schemas.messages import DeadLetter, DeadLetterReason, Prediction, Watermark
from schemas.topics import MAX_EVENT_BYTES, MAX_RECORD_BYTES
from stream_apps.model_slot import load_model
from stream_apps.scoring import ScoredChunk, Scorer, joined
from stream_apps.windows import PartitionWindows, WindowSettings
from tests.schemas.test_avro import Registered
from tests.tiny import (
    MAX_FUTURE,
    FakeRecord,
    event_bytes,
    predictions_bytes,
    serving,
    tiny_model,
    tiny_pipeline,
)

WALL = 1_700_000_000_000
SCORER = Scorer(tiny_pipeline(), "T")
MODEL = tiny_model()
GOOD = event_bytes("e", WALL)


def run(*values: bytes | None, timestamp: int = WALL, **also: Any) -> ScoredChunk:
    records = [FakeRecord(offset=10 + k, timestamp=timestamp, value=value, key=b"k", **also)
               for k, value in enumerate(values)]
    return SCORER.run(records, 1, serving(MODEL), WALL + 5)


def letter(*values: bytes | None, **also: Any) -> DeadLetter:
    chunk = run(*values, **also)
    assert (chunk.predictions, len(chunk.dead_letters), len(chunk.rows.offsets)) == ([], 1, 0)
    key, value = chunk.dead_letters[0]
    found = decode(value, DeadLetter)
    assert key == found.source.encode() == b"T-1-10"
    return found


@settings(deadline=None)
@given(st.lists(st.sampled_from([GOOD, event_bytes("f", WALL + 1, a=2), b"{", b"", None]), min_size=1, max_size=12),
       st.integers(1, 12))
def test_a_chunk_scored_in_parts_is_the_chunk_scored_whole(values: list[bytes | None], size: int) -> None:
    records = [FakeRecord(offset=10 + k, timestamp=WALL, value=value, key=b"k") for k, value in enumerate(values)]
    parts = [SCORER.run(records[first:first + size], 1, serving(MODEL), WALL) for first in range(0, len(values), size)]
    whole, found = SCORER.run(records, 1, serving(MODEL), WALL), joined(parts)
    assert found.predictions == whole.predictions
    assert (sorted(found.dead_letters), found.reasons) == (sorted(whole.dead_letters), whole.reasons)
    for name, column in vars(whole.rows).items():
        assert getattr(found.rows, name).tolist() == column.tolist()
        assert getattr(found.rows, name).dtype == column.dtype


def test_an_event_becomes_a_prediction_that_names_its_source_model_and_what_was_scored() -> None:
    chunk = run(event_bytes("e", WALL - 7, a=1, c="unseen"))
    assert chunk.dead_letters == []
    key, value = chunk.predictions[0]
    found = decode(value, Prediction)
    assert key == b"k"
    assert (found.event_id, found.entity, found.ts, found.source) == ("e", "e", WALL - 7, "T-1-10")
    assert (found.source_day, found.model, found.scored_at) == ("2023-11-14", MODEL.model, WALL + 5)
    assert (found.features, found.prediction) == ([1.0, None, "unseen"], "yes")
    assert found.score == pytest.approx(1 / (1 + np.exp(-2)), abs=1e-6)
    assert found.probabilities == pytest.approx([1 - found.score, found.score])


def test_a_prediction_tells_which_answer_was_given_before_and_only_where_one_was() -> None:
    said = [[], [("answered-epoch", b"41")], [("note", b"1"), ("answered-epoch", b"7")], [("answered-epoch", b"-1")],
            [("answered-epoch", b"9" * 19)], [("answered-epoch", None)], [("answered-epoch", "٣".encode())]]
    records = [FakeRecord(offset=k, timestamp=WALL, value=GOOD, headers=headers) for k, headers in enumerate(said)]
    chunk = SCORER.run(records, 0, serving(MODEL), WALL)
    assert chunk.dead_letters == []
    found = [decode(value, Prediction).answered_epoch for _, value in chunk.predictions]
    assert found == [UNSET, 41, 7, *[UNSET] * 4]
    assert [b"answered_epoch" in value for _, value in chunk.predictions] == [False, True, True, *[False] * 4]
    plain = SCORER.run([FakeRecord(offset=0, timestamp=WALL, value=GOOD)], 0, serving(MODEL), WALL)
    assert plain.predictions == chunk.predictions[:1]


def test_a_multiclass_score_is_that_of_the_winner_and_a_regression_score_is_the_value() -> None:
    record = FakeRecord(offset=0, timestamp=WALL, value=event_bytes("e", WALL, a=-4))
    many = Scorer(tiny_pipeline("multiclass"), "T").run([record], 0, serving(tiny_model("multiclass")), WALL)
    found = decode(many.predictions[0][1], Prediction)
    assert (found.prediction, found.score) == ("one", max(found.probabilities or []))
    value = Scorer(tiny_pipeline("regression"), "T").run([record], 0, serving(tiny_model("regression")), WALL)
    found = decode(value.predictions[0][1], Prediction)
    assert (found.prediction, found.score, found.probabilities) == (-4.0, -4.0, None)


@pytest.mark.parametrize(("value", "reason"), [
    (None, "empty"), (b"", "empty"), (b"{", "malformed"), (b"\xff", "malformed"),
    (b'{"x":' + b"[" * 9_999, "malformed"),
    (b'{"event_id":"\xff"}', "malformed"), (b"[]", "invalid"), (event_bytes("e", WALL, a="1"), "invalid"),
    (event_bytes("e", WALL, a=None), "invalid"), (event_bytes("e", "soon"), "invalid"),
    (event_bytes("e", 10**18), "timestamp"), (event_bytes("e", -(10**18)), "timestamp"),
    (event_bytes("e", "0001-01-01T00:00:00+14:00"), "timestamp"), (event_bytes("e", WALL + MAX_FUTURE + 1), "future"),
    (event_bytes("e", 253_402_300_799_999), "future"),
])
def test_a_record_that_cannot_be_scored_is_a_dead_letter_with_reason_and_raw_bytes(
        value: bytes | None, reason: str) -> None:
    found = letter(value)
    assert (found.reason, found.raw, found.raw_key, found.record_ts) == (reason, value, b"k", WALL)
    assert found.detail
    assert len(found.detail) <= 500


def test_an_event_may_be_as_far_ahead_of_its_record_as_declared() -> None:
    assert len(run(event_bytes("e", WALL + MAX_FUTURE)).predictions) == 1


@pytest.mark.parametrize("timestamp", [-(2**63), 2**63 - 1, 10**15])
def test_a_record_whose_own_timestamp_is_no_time_is_a_dead_letter(timestamp: int) -> None:
    assert letter(event_bytes("e", 0), timestamp=timestamp).reason == "timestamp"


def test_a_record_without_a_timestamp_can_be_scored() -> None:
    assert len(run(event_bytes("e", 0), timestamp=-1).predictions) == 1


def test_a_watermark_is_counted_and_neither_scored_nor_dead() -> None:
    chunk = run(encode(Watermark(ts=5)), encode(Watermark(ts=6, ends=True)), headers=[WATERMARK_HEADER])
    assert (chunk.predictions, chunk.dead_letters) == ([], [])
    assert chunk.rows.ts.tolist() == [5, 6]
    assert chunk.rows.ends.tolist() == [False, True]
    assert not chunk.rows.is_row.any()
    assert chunk.rows.cells.shape == (0, 4)


@pytest.mark.parametrize(("value", "reason"), [
    (b"{}", "invalid"), (b"", "empty"), (GOOD[:-1], "malformed"), (encode(Watermark(ts=10**18)), "timestamp"),
    (encode(Watermark(ts=WALL + MAX_FUTURE + 1, ends=True)), "future")])
def test_a_bad_watermark_is_a_dead_letter(value: bytes, reason: str) -> None:
    assert letter(value, headers=[WATERMARK_HEADER]).reason == reason


def test_a_row_that_the_model_cannot_answer_costs_only_itself() -> None:
    model = tiny_model(fills=False)
    values = [event_bytes("a", WALL, b=1), event_bytes("b", WALL, b=None), b"{", event_bytes("c", WALL, b=2)]
    records = [FakeRecord(offset=k, timestamp=WALL, value=value) for k, value in enumerate(values)]
    chunk = SCORER.run(records, 0, serving(model), WALL)
    assert [decode(value, Prediction).event_id for _, value in chunk.predictions] == ["a", "c"]
    letters = [decode(value, DeadLetter) for _, value in chunk.dead_letters]
    assert {(x.source, x.reason) for x in letters} == {("T-0-1", "poison"), ("T-0-2", "malformed")}
    assert chunk.rows.offsets.tolist() == [0, 3]
    assert len(chunk.rows.cells) == 2


def test_a_row_whose_prediction_no_topic_would_take_costs_only_itself() -> None:
    codec = AvroEventCodec(tiny_pipeline(), Registered())
    values = [codec.encode(name, WALL, "x", {"a": 1.0, "b": None, "c": text})
              for name, text in (("a", "x"), ("b", "\x01" * 600_000), ("c", "\x01" * 500_000))]
    assert max(map(len, values)) < MAX_EVENT_BYTES
    records = [FakeRecord(offset=k, timestamp=WALL, value=value, key=b"k") for k, value in enumerate(values)]
    chunk = Scorer(tiny_pipeline(), "T", codec).run(records, 0, serving(MODEL), WALL)
    assert [decode(value, Prediction).event_id for _, value in chunk.predictions] == ["a", "c"]
    ((_, dead),) = chunk.dead_letters
    letter = decode(dead, DeadLetter)
    assert (letter.source, letter.reason, letter.raw) == ("T-0-1", "poison", values[1])
    assert max(len(value) for _, value in [*chunk.predictions, *chunk.dead_letters]) < MAX_RECORD_BYTES
    assert chunk.rows.offsets.tolist() == [0, 2]
    assert len(chunk.rows.cells) == 2


def test_a_canary_answers_its_share_of_the_entities_and_always_the_same_ones() -> None:
    slots = serving(MODEL, tiny_model(weight=-1.0, epoch=7), share=0.3)
    keys = [f"entity-{k}".encode() for k in range(2_000)]
    records = [FakeRecord(offset=k, timestamp=WALL, value=event_bytes(f"e{k}", WALL, c="xyz"[k % 3]), key=key)
               for k, key in enumerate(keys)]
    predictions = [decode(value, Prediction) for _, value in SCORER.run(records, 0, slots, WALL).predictions]
    mine = {p.event_id for p in predictions if p.model.epoch == 7}
    assert 500 < len(mine) < 700
    alone = {epoch: [decode(value, Prediction) for _, value in SCORER.run(records, 0, serving(model), WALL).predictions]
             for epoch, model in ((0, slots.champion), (7, slots.canary)) if model}
    assert predictions == [alone[p.model.epoch][k] for k, p in enumerate(predictions)]
    shuffled = SCORER.run(records[::-1][:700], 3, slots, WALL).predictions
    assert {e for e in map(event_id, shuffled) if e in mine} == {
        decode(v, Prediction).event_id for _, v in shuffled if decode(v, Prediction).model.epoch == 7}
    nobodys = SCORER.run(records, 0, serving(MODEL, slots.canary, share=1.0), WALL)
    assert {decode(value, Prediction).model.epoch for _, value in nobodys.predictions} == {7}


def event_id(pair: tuple[bytes | None, bytes]) -> str:
    return decode(pair[1], Prediction).event_id


def test_the_rows_of_a_canary_are_counted_under_the_champions_profile() -> None:
    other = tiny_model(weight=-1.0, epoch=7)
    values = [event_bytes(f"e{k}", WALL, a=k / 10) for k in range(20)]
    records = [FakeRecord(offset=k, timestamp=WALL, value=v, key=b"%d" % k) for k, v in enumerate(values)]
    both, one = (SCORER.run(records, 0, slots, WALL) for slots in (serving(MODEL, other, share=0.5), serving(MODEL)))
    assert both.rows.cells[:, :3].tolist() == one.rows.cells[:, :3].tolist()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_what_each_model_says_is_counted_in_the_cells_of_its_own_reference(task: str) -> None:
    """The canary's reference lies elsewhere, so that the same score is another cell."""
    pipeline, canary = tiny_pipeline(task), tiny_model(task, weight=-1.0, epoch=7)
    other = predictions_bytes(pipeline.task, 0.5)
    slots = serving(tiny_model(task), load_model(canary.accepted, canary.onnx, canary.profile, pipeline, other), 0.5)
    values = [event_bytes(f"e{k}", WALL, a=k / 10) for k in range(40)]
    records = [FakeRecord(offset=k, timestamp=WALL, value=v, key=b"%d" % k) for k, v in enumerate(values)]
    chunk = Scorer(pipeline, "T").run(records, 0, slots, WALL)
    windows = PartitionWindows(partition=0, settings=WindowSettings(size=2 * WALL, lateness=0))
    windows.add(chunk.rows, slots.layout)
    (window,) = windows.snapshot()
    references = {0: predictions_bytes(pipeline.task), 7: other}
    expected: dict[int, Counter[int]] = {0: Counter(), 7: Counter()}
    for _, value in chunk.predictions:
        found = decode(value, Prediction)
        (feature,) = ReferenceProfile.decode(references[found.model.epoch]).features
        label = str(found.prediction)
        expected[found.model.epoch][feature.categories.index(label) if task == "multiclass" else bisect_left(
            feature.edges, found.score)] += 1
    assert {said.epoch: {cell: n for cell, n in enumerate(said.counts) if n} for said in window.predictions} == expected
    assert min(counts.total() for counts in expected.values()) > 5


def test_a_canary_without_a_reference_of_its_predictions_leaves_the_champions_as_they_are() -> None:
    canary = tiny_model(weight=-1.0, epoch=7)
    bare = load_model(canary.accepted, canary.onnx, canary.profile, tiny_pipeline())
    records = [FakeRecord(offset=k, timestamp=WALL, value=GOOD, key=b"%d" % k) for k in range(40)]
    predictions = {}
    for name, slots in (("watched", serving(MODEL, canary, 0.5)), ("bare", serving(MODEL, bare, 0.5))):
        windows = PartitionWindows(partition=0, settings=WindowSettings(size=2 * WALL, lateness=0))
        windows.add(SCORER.run(records, 0, slots, WALL).rows, slots.layout)
        predictions[name] = windows.snapshot()[0].predictions
    assert [said.epoch for said in predictions["watched"]] == [0, 7]
    assert predictions["bare"] == predictions["watched"][:1]


def test_a_row_that_a_canary_cannot_answer_is_the_champions() -> None:
    canary = tiny_model(epoch=7, fills=False)
    values = [event_bytes(f"e{k}", WALL, b=None if k % 2 else 1) for k in range(50)]
    records = [FakeRecord(offset=k, timestamp=WALL, value=v, key=b"%d" % k) for k, v in enumerate(values)]
    chunk = SCORER.run(records, 0, serving(MODEL, canary, share=1.0), WALL)
    assert chunk.dead_letters == []
    assert [decode(value, Prediction).model.epoch for _, value in chunk.predictions] == [7, 0] * 25


def test_rows_known_to_be_deadly_are_dead_letters_unread() -> None:
    records = [FakeRecord(offset=k, timestamp=WALL, value=GOOD, key=b"k") for k in range(4)]
    chunk = SCORER.run(records, 0, serving(MODEL), WALL, {1, 2})
    assert [decode(v, Prediction).source for _, v in chunk.predictions] == ["T-0-0", "T-0-3"]
    assert chunk.reasons == {"poison": 2}


def test_a_time_in_words_among_times_in_numbers_changes_nothing_for_the_others() -> None:
    words = event_bytes("w", "2023-11-14T22:13:20Z")
    plain, mixed = run(*[GOOD] * 3), run(GOOD, words, GOOD)
    assert [decode(v, Prediction).ts for _, v in mixed.predictions] == [WALL] * 3
    assert mixed.rows.ts.tolist() == plain.rows.ts.tolist()
    assert (mixed.predictions[0], mixed.predictions[2]) == (plain.predictions[0], plain.predictions[2])


def test_the_cells_are_those_of_the_events_own_numbers() -> None:
    rows = run(event_bytes("a", WALL, a=1e300), event_bytes("b", WALL, a=0.1, b=3.0, c="y")).rows
    numbers = np.array([[1e300, np.nan], [0.1, 3.0]])
    assert rows.cells[:, :3].tolist() == MODEL.counter.indices(numbers, [("x", "y")]).tolist()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6)
almost = st.builds(event_bytes, st.text(), json_values | st.just(WALL), json_values | st.just(1), json_values,
                   json_values | st.just("x"))
records = st.lists(st.builds(
    FakeRecord, offset=st.just(0), value=st.none() | st.binary() | almost | json_values.map(msgspec.json.encode),
    timestamp=st.sampled_from([WALL, 0, -1]) | st.integers(-(2**63), 2**63 - 1), key=st.none() | st.binary(),
    headers=st.lists(st.just(WATERMARK_HEADER) | st.tuples(st.text(), st.binary()), max_size=2)), max_size=6)


@settings(max_examples=200)
@given(records)
def test_whatever_the_bytes_every_record_has_exactly_one_end(fuzzed: list[FakeRecord]) -> None:
    for offset, record in enumerate(fuzzed):
        record.offset = offset
    chunk = SCORER.run(fuzzed, 0, serving(MODEL), WALL)
    letters = [decode(value, DeadLetter) for _, value in chunk.dead_letters]
    predicted = [decode(value, Prediction).source for _, value in chunk.predictions]
    marks = [f"T-0-{o}" for o, is_row in zip(chunk.rows.offsets, chunk.rows.is_row, strict=True) if not is_row]
    ends = predicted + marks + [x.source for x in letters]
    assert sorted(ends) == sorted(f"T-0-{offset}" for offset in range(len(fuzzed)))
    assert chunk.reasons == Counter(x.reason for x in letters)
    for dead in letters:
        assert dead.reason in get_args(DeadLetterReason)
        assert dead.raw == fuzzed[dead.last_offset].value
    assert len(chunk.rows.cells) == len(predicted)
