"""Whatever is sent: the worker lives on, each record ends as what it is, each reason is counted."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import DeadLetter, Prediction
from stream_apps.scoring import Scorer
from tests.chaos.classifier import classify
from tests.chaos.fuzz import run
from tests.chaos.fuzzing import fuzzed
from tests.tiny import MAX_FUTURE, FakeRecord, serving, tiny_model, tiny_pipeline

WALL = 1_700_000_000_000
SCORER = Scorer(tiny_pipeline(), "T")
MODELS = serving(tiny_model())
record_times = st.none() | st.sampled_from([-1, 0, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), record_ts=record_times)
def test_the_scorer_and_a_classifier_of_other_parts_agree_on_every_record(seed: int, record_ts: int | None) -> None:
    sent = [FakeRecord(offset=k, timestamp=record.timestamp if record_ts is None else record_ts, value=record.value,
                       key=record.key, headers=record.headers)  # type: ignore[arg-type]  # a header may have no value
            for k, record in enumerate(fuzzed(seed, 30, WALL, large=0))]
    chunk = SCORER.run(sent, 0, MODELS, WALL)
    marks = chunk.rows.offsets[~chunk.rows.is_row].tolist()
    ends = dict.fromkeys(marks, "watermark") | dict.fromkeys(
        (decode(letter, DeadLetter).last_offset for _, letter in chunk.dead_letters), "bad") | dict.fromkeys(
        (int(decode(value, Prediction).source.rsplit("-", 1)[1]) for _, value in chunk.predictions), "event")
    for record, mark in zip(sent, (r.marked for r in fuzzed(seed, 30, WALL, large=0)), strict=True):
        opinion = classify(record.value, mark, record.timestamp, MAX_FUTURE)
        assert opinion.verdict in (ends[record.offset], "unsure"), (opinion, ends[record.offset], record.value)


def test_one_worker_survives_everything_and_ends_each_record_as_what_it_is(
        kafka: KafkaAccess, tmp_path: Path) -> None:
    figures = run(kafka, tmp_path, full=False)
    assert figures.predictions + figures.dead_letters + figures.watermarks == figures.records
    assert {"empty", "malformed", "invalid", "timestamp", "future"} == set(figures.reasons)
