"""Rows of a request: what the stream would score is asked, what it would bury is refused for the same reason."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doors.settings import SINGLE_BYTES
from schemas.avro import AvroEventCodec
from schemas.codec import EventCodec, decode
from schemas.messages import DeadLetter, Prediction
from schemas.pipeline import parse_pipeline
from stream_apps.predict.questions import Question, QuestionReader, Unanswerable
from stream_apps.predict.replies import Replier, Reply
from stream_apps.scoring import Scorer
from tests.schemas.test_avro import Registered
from tests.stream_apps.test_scoring import almost, json_values
from tests.tiny import MAX_FUTURE, FakeRecord, definition, event_bytes, serving, tiny_model, tiny_pipeline

WALL = 1_700_000_000_000
PIPELINE = tiny_pipeline()
READER = QuestionReader(PIPELINE, EventCodec(PIPELINE))
MODEL, CANARY = tiny_model(), tiny_model(weight=-1.0, epoch=7)


def asked(row: bytes) -> Question | Unanswerable:
    try:
        return READER.read(row, WALL)
    except Unanswerable as error:
        return error


def test_an_event_is_written_as_it_came_under_the_key_that_a_producer_gives_it() -> None:
    row = b' {"v":1, "event_id":"e","ts":5,"entity":"card-9","features":{"a":1,"c":"x"},"more":[]}'
    question = READER.read(row, WALL)
    assert (question.value, question.key, question.values) == (row, b"card-9", (1.0, None, "x"))
    assert READER.read(event_bytes("e", 5).replace(b'"entity":"e"', b'"entity":""'), WALL).key == b"e"


@pytest.mark.parametrize(("row", "reason"), [
    (b"", "malformed"), (b"{", "malformed"), (b'{"x":' + b"[" * 9_999, "malformed"), (b"\xff", "malformed"),
    (b"[]", "invalid"),
    (event_bytes("e", WALL, a="1"), "invalid"), (event_bytes("e", 10**18), "timestamp"),
    (event_bytes("e", WALL + MAX_FUTURE + 1), "future"),
    (event_bytes("e", WALL, c="x" * SINGLE_BYTES), "invalid")])
def test_a_row_that_cannot_be_scored_is_refused_with_the_reason(row: bytes, reason: str) -> None:
    refused = asked(row)
    assert isinstance(refused, Unanswerable)
    assert refused.reason == reason
    assert refused.detail


@settings(max_examples=300, deadline=None)
@given(st.lists(almost | json_values.map(lambda value: event_bytes("e", WALL, b=value)) | st.binary(max_size=40)
                | st.floats(-9, 9).map(lambda a: event_bytes(f"e{a}", WALL, a=a)), max_size=8),
       st.sampled_from([0.0, 0.5, 1.0]))
def test_whatever_is_asked_the_answer_is_what_the_stream_will_say_of_the_same_bytes(
        rows: list[bytes], share: float) -> None:
    slots = serving(MODEL, CANARY, share) if share else serving(MODEL)
    questions = [one for one in map(asked, rows) if isinstance(one, Question)]
    replies = Replier(PIPELINE).replies(questions, slots)
    records = [FakeRecord(offset=k, timestamp=WALL, value=row, key=_key(row)) for k, row in enumerate(rows) if row]
    chunk = Scorer(PIPELINE, "T").run(records, 0, slots, WALL)
    said = [decode(value, Prediction) for _, value in chunk.predictions]
    assert [told(reply) for reply in replies] == [
        (p.model, p.prediction, p.score, p.probabilities) for p in said]
    dead = [decode(value, DeadLetter).reason for _, value in chunk.dead_letters]
    refused = [one.reason for one in map(asked, filter(None, rows)) if isinstance(one, Unanswerable)]
    assert sorted(dead) == sorted(refused)


def _key(row: bytes) -> bytes:
    one = asked(row)
    return one.key if isinstance(one, Question) else b""


def told(reply: Reply | Unanswerable) -> tuple[Any, ...]:
    assert isinstance(reply, Reply)
    return reply.model, reply.prediction, reply.score, reply.probabilities


def test_a_row_that_the_model_cannot_answer_costs_only_itself() -> None:
    questions = [READER.read(event_bytes(name, WALL, b=b), WALL) for name, b in (("a", 1), ("b", None), ("c", 2))]
    replies = Replier(PIPELINE).replies(questions, serving(tiny_model(fills=False)))
    assert [isinstance(reply, Reply) for reply in replies] == [True, False, True]
    assert isinstance(replies[1], Unanswerable)
    assert replies[1].reason == "poison"


def test_an_avro_pipeline_is_asked_in_json_and_its_events_are_avro() -> None:
    text = definition() + '\n[encoding]\nevents = "avro"\nschema_registry = "http://127.0.0.1:1"\n'
    pipeline = parse_pipeline(text, "tiny.toml")
    codec = AvroEventCodec(pipeline, Registered())
    question = QuestionReader(pipeline, codec).read(event_bytes("e", "2023-11-14T22:13:20Z", a=0.1, b=2), WALL)
    event = codec.decode(question.value)
    assert (event.event_id, event.ts, event.entity) == ("e", WALL, "e")
    assert codec.values(event.features) == question.values == (0.1, 2.0, "x")
