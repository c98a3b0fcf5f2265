"""A sound recording passes; each single mutation is found by the check that is meant to find it."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_stream.verify.recording import Recording
from automl_stream.verify.verdict import SHOWN, judge
from schemas.codec import decode
from schemas.messages import (
    DriftAlert,
    DriftReport,
    Label,
    LabelledEvent,
    Model,
    OpenWindow,
    Prediction,
    ScoreState,
    TrainingDecision,
    WindowCounts,
    derived_id,
)
from schemas.pipeline import LOSS, PREDICTION
from schemas.topics import (
    DEAD_LETTERS,
    DRIFT_ALERTS,
    DRIFT_STATS,
    EVENTS,
    LABELLED,
    LABELS,
    MODEL_ARTIFACTS,
    MODEL_UPDATES,
    PREDICTIONS,
    SCORE_STATE,
    TRAINING_DECISIONS,
    WINDOW_COUNTS,
    Topic,
)
from tests.tiny import predictions_bytes

from .model import onnx_bytes, profile_bytes, tiny_pipeline
from .mutation import altered, dropped, repeated, with_records, with_rows
from .run import Run

Mutation = Callable[[Recording], Recording]
LAST_BYTE = -1
NUMBERS = st.floats(-4, 4)
FEATURES = st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS | st.none(), "c": st.sampled_from("xyz")})


def rows_of(recording: Recording, **changes: object) -> Recording:
    return with_rows(recording, msgspec.structs.replace(recording.rows, **changes))


def row_altered(recording: Recording, **changes: object) -> Recording:
    first, *rest = recording.rows.predictions
    return rows_of(recording, predictions=[msgspec.structs.replace(first, **changes), *rest])


def byte_flipped(recording: Recording, topic: Topic, index: int) -> Recording:
    records = list(recording.log(topic).records)
    value = bytearray(records[index].value or b"")
    value[LAST_BYTE] ^= 1
    records[index] = msgspec.structs.replace(records[index], value=bytes(value))
    return with_records(recording, topic, records)


def count_moved(recording: Recording) -> Recording:
    records = recording.log(WINDOW_COUNTS).records
    index = first_counts(recording)
    window: OpenWindow = decode(records[index].value or b"", WindowCounts).window
    counts = [window.counts[0] + 1, window.counts[1] - 1, *window.counts[2:]]
    return altered(recording, WINDOW_COUNTS, index, WindowCounts, window=msgspec.structs.replace(window, counts=counts))


def prediction_moved(recording: Recording) -> Recording:
    """A row whose prediction is counted in another cell."""
    index = first_counts(recording)
    window: OpenWindow = decode(recording.log(WINDOW_COUNTS).records[index].value or b"", WindowCounts).window
    said, *others = window.predictions
    full = next(cell for cell, rows in enumerate(said.counts) if rows)
    counts = [rows + (cell == (full + 1) % len(said.counts)) - (cell == full) for cell, rows in enumerate(said.counts)]
    moved = [msgspec.structs.replace(said, counts=counts), *others]
    return altered(recording, WINDOW_COUNTS, index, WindowCounts,
                   window=msgspec.structs.replace(window, predictions=moved))


def report_of_other_predictions(recording: Recording) -> Recording:
    report = decode(recording.log(DRIFT_STATS).records[1].value or b"", DriftReport)
    features = [msgspec.structs.replace(feature, rows=feature.rows + (feature.name == PREDICTION))
                for feature in report.features]
    return altered(recording, DRIFT_STATS, 1, DriftReport, features=features)


def open_windows_forgotten(recording: Recording) -> Recording:
    """The last checkpoint, whose open windows hold no predictions."""
    state = decode(recording.log(SCORE_STATE).records[-1].value or b"", ScoreState)
    return last_state(recording, windows=[msgspec.structs.replace(w, predictions=[]) for w in state.windows])


def first_counts(recording: Recording) -> int:
    return next(n for n, r in enumerate(recording.log(WINDOW_COUNTS).records) if b'"window":' in (r.value or b""))


def last_state(recording: Recording, **changes: object) -> Recording:
    return altered(recording, SCORE_STATE, len(recording.log(SCORE_STATE).records) - 1, ScoreState, **changes)


def readable_after_all(recording: Recording) -> Recording:
    records = list(recording.log(EVENTS).records)
    bad = next(n for n, r in enumerate(records) if r.value == b"{")
    records[bad] = msgspec.structs.replace(records[bad], value=records[0].value)
    return with_records(recording, EVENTS, records)


def answered(recording: Recording) -> int:
    """Place of the prediction of an event that somebody was answered about."""
    return next(n for n, r in enumerate(recording.log(PREDICTIONS).records) if b'"answered_epoch":' in (r.value or b""))


def answer_forgotten(recording: Recording) -> Recording:
    return altered(recording, PREDICTIONS, answered(recording), Prediction, answered_epoch=msgspec.UNSET)


def answer_not_stored(recording: Recording) -> Recording:
    rows = [msgspec.structs.replace(row, answered_epoch=None) for row in recording.rows.predictions]
    return rows_of(recording, predictions=rows)


UNKNOWN_EPOCH = Model(version="1", digest="", epoch=77)

MUTATIONS: dict[str, tuple[str, Mutation]] = {
    "a prediction dropped": ("sources", lambda r: dropped(r, PREDICTIONS, 3)),
    "an event lost": ("sources", lambda r: dropped(r, EVENTS, 3)),
    "a dead letter missing": ("sources", lambda r: dropped(r, DEAD_LETTERS, 0)),
    "a dead letter of a readable event": ("sources", readable_after_all),
    "two predictions of one source and epoch that differ": (
        "sources", lambda r: repeated(r, PREDICTIONS, 3, Prediction, score=0.123)),
    "a prediction of another event": ("identity", lambda r: altered(r, PREDICTIONS, 3, Prediction, event_id="z")),
    "a prediction of another day": (
        "identity", lambda r: altered(r, PREDICTIONS, 3, Prediction, source_day="2000-01-01")),
    "an answer made up": ("identity", lambda r: altered(r, PREDICTIONS, 3, Prediction, answered_epoch=0)),
    "another answer": ("identity", answer_forgotten),
    "other features": ("identity", lambda r: altered(r, PREDICTIONS, 3, Prediction, features=[1.0, 2.0, "x"])),
    "an altered score": ("scores", lambda r: altered(r, PREDICTIONS, 3, Prediction, score=0.123)),
    "another label": ("scores", lambda r: altered(r, PREDICTIONS, 0, Prediction, prediction="yes")),
    "a wrong epoch": ("scores", lambda r: altered(r, PREDICTIONS, 3, Prediction, model=UNKNOWN_EPOCH)),
    "a count changed": ("counts", count_moved),
    "a prediction count changed": ("counts", prediction_moved),
    "a checkpoint that forgets predictions": ("checkpoints", open_windows_forgotten),
    "a report of other predictions": ("reports", report_of_other_predictions),
    "a final window missing": ("counts", lambda r: dropped(r, WINDOW_COUNTS, first_counts(r))),
    "the same window with another offset": (
        "counts", lambda r: repeated(r, WINDOW_COUNTS, first_counts(r), WindowCounts, covered=1)),
    "a checkpoint that forgets late rows": ("checkpoints", lambda r: last_state(r, late_rows=0)),
    "a checkpoint that lags": ("checkpoints", lambda r: last_state(r, covered=3)),
    "a report missing": ("reports", lambda r: dropped(r, DRIFT_STATS, 1)),
    "a report of other rows": ("reports", lambda r: altered(r, DRIFT_STATS, 1, DriftReport, rows=99)),
    "losses of too few labelled rows": ("reports", lambda r: altered(r, DRIFT_STATS, 1, DriftReport, labelled=0)),
    "an alert removed": ("alerts", lambda r: dropped(r, DRIFT_ALERTS, 0)),
    "an alert of another id": ("alerts", lambda r: altered(r, DRIFT_ALERTS, 0, DriftAlert, alert_id="z")),
    "an alert without an alarm": ("alerts", lambda r: altered(r, DRIFT_STATS, 0, DriftReport, alarm=False)),
    "a labelled row doubled with another label": (
        "labelled", lambda r: repeated(r, LABELLED, 3, LabelledEvent, label="0")),
    "a labelled row of another score": ("labelled", lambda r: altered(r, LABELLED, 3, LabelledEvent, score=0.123)),
    "a pair missing": ("labelled", lambda r: dropped(r, LABELLED, 3)),
    "a label revised in silence": ("labelled", lambda r: repeated(r, LABELS, 3, Label, revision=1)),
    "a row of PostgreSQL doubled": (
        "predictions table", lambda r: rows_of(r, predictions=[*r.rows.predictions, r.rows.predictions[0]])),
    "a row of PostgreSQL missing": ("predictions table", lambda r: rows_of(r, predictions=r.rows.predictions[1:])),
    "a row of PostgreSQL altered": ("predictions table", lambda r: row_altered(r, entity="z")),
    "a row of PostgreSQL that forgets the answer": ("predictions table", answer_not_stored),
    "a row of PostgreSQL of a lower epoch": ("predictions table", lambda r: row_altered(r, model_epoch=-1)),
    "a message missing in PostgreSQL": ("messages table", lambda r: rows_of(r, messages=r.rows.messages[1:])),
    "a model's byte flipped": ("models", lambda r: byte_flipped(r, MODEL_ARTIFACTS, 1)),
    "a profile's byte flipped": ("models", lambda r: byte_flipped(r, MODEL_ARTIFACTS, 3)),
    "a byte of a reference of predictions flipped": ("models", lambda r: byte_flipped(r, MODEL_ARTIFACTS, 5)),
    "a chunk missing": ("models", lambda r: dropped(r, MODEL_ARTIFACTS, 1)),
    "a promotion without an announcement": (
        "models", lambda r: altered(r, TRAINING_DECISIONS, 1, TrainingDecision, decision_id="z")),
    "an announcement that cannot be read": ("readable", lambda r: byte_flipped(r, MODEL_UPDATES, 1)),
}


def concept(recording: Recording) -> Recording:
    """Its alert is of a changed concept: the loss was guilty."""
    record = recording.log(DRIFT_ALERTS).records[0]
    alert = decode(record.value or b"", DriftAlert)
    features = [msgspec.structs.replace(feature, alarm=feature.name == LOSS)
                for feature in decode(recording.log(DRIFT_STATS).records[0].value or b"", DriftReport).features]
    changed = altered(recording, DRIFT_STATS, 0, DriftReport, features=features)
    return altered(changed, DRIFT_ALERTS, 0, DriftAlert, kind="concept", features=[LOSS], alert_id=derived_id(
        "tiny", alert.profile, "concept", alert.window_start))


def test_a_concept_alert_answers_its_report_like_any_other(recording: Recording) -> None:
    changed = concept(recording)
    assert judge(changed).checks["alerts"].differences == 0
    silent = altered(changed, DRIFT_STATS, 0, DriftReport, alarm=False)
    assert judge(silent).checks["alerts"].differences == 1


def test_an_answer_by_another_model_than_the_one_on_record_is_noted_and_is_no_difference(recording: Recording) -> None:
    verdict = judge(recording)
    assert verdict.checks["identity"].notes == ["1 of 2 answers were given by another model than the one on record"]


def test_a_sound_recording_passes(recording: Recording) -> None:
    verdict = judge(recording)
    assert verdict.differences == []
    assert (verdict.ok, verdict.rows, verdict.predictions, verdict.dead_letters, verdict.lost) == (True, 44, 43, 1, 0)


def test_raw_repeats_are_counted_and_are_no_difference(recording: Recording) -> None:
    assert judge(recording).raw_repeats == 8
    verdict = judge(repeated(recording, PREDICTIONS, 3, Prediction, scored_at=1))
    assert (verdict.ok, verdict.raw_repeats) == (True, 9)


@pytest.mark.parametrize("name", MUTATIONS)
def test_each_mutation_is_found_by_its_check(recording: Recording, name: str) -> None:
    check, mutate = MUTATIONS[name]
    verdict = judge(mutate(recording))
    assert not verdict.ok
    assert check in {difference.check for difference in verdict.differences}


def test_a_difference_names_source_expectation_and_finding(recording: Recording) -> None:
    verdict = judge(dropped(recording, PREDICTIONS, 3))
    first = next(d for d in verdict.differences if d.check == "sources")
    assert (first.where, first.found) == ("A-topic-id-0-3", "neither: the event is lost")
    assert verdict.lost == 1


def test_at_most_twenty_differences_are_shown_and_all_are_counted(recording: Recording) -> None:
    verdict = judge(with_records(recording, PREDICTIONS, []))
    assert len(verdict.differences) == SHOWN
    assert verdict.checks["sources"].differences == verdict.lost == 43
    assert {"sources", "counts", "labelled", "predictions table"} <= {d.check for d in verdict.differences}


def test_a_sample_rescores_only_so_many(recording: Recording) -> None:
    assert judge(recording, sample=5).checks["scores"].looked_at == 5


def test_what_came_after_the_judged_end_is_left_out(recording: Recording) -> None:
    log = recording.log(EVENTS)
    earlier = msgspec.structs.replace(log, records=[r for r in log.records if r.offset < 20],
                                      bounds=dict.fromkeys(log.bounds, (0, 20)))
    verdict = judge(msgspec.structs.replace(recording, logs=recording.logs | {EVENTS.name: earlier}))
    assert (verdict.ok, verdict.rows, verdict.predictions) == (True, 40, 40)


@settings(max_examples=15, deadline=2_000)
@given(st.data())
def test_every_run_of_the_services_pure_steps_passes(data: st.DataObject) -> None:
    run = Run(pipeline=tiny_pipeline())
    models = [run.announce(onnx_bytes(run.pipeline, weight), profile_bytes(shift), predictions)
              for weight, shift, predictions in ((1.0, 0.0, predictions_bytes()), (-2.0, 0.0, None),
                                                 (3.0, 1.0, predictions_bytes("binary", 0.5)))]
    times = st.integers(-5_000, 60_000)
    for partition in range(2):
        for n, ts in enumerate(data.draw(st.lists(times, max_size=30))):
            kind = data.draw(st.integers(0, 9))
            if kind == 0:
                run.append(EVENTS, partition, b"k", data.draw(st.sampled_from([None, b"", b"[]", b'{"ts":1}'])))
            elif kind == 1:
                run.watermark(partition, ts, ends=data.draw(st.booleans()))
            else:
                run.event(partition, f"{partition}-{n}", ts, data.draw(FEATURES))
        sizes = [*data.draw(st.lists(st.integers(1, 12), min_size=2, max_size=2)), 30]
        crashes = data.draw(st.lists(st.booleans(), min_size=3, max_size=3))
        run.score(partition, list(zip(sizes, models, crashes, strict=True)))
    run.label_everything()
    run.report_everything(alarm=data.draw(st.none() | st.integers(0, 3)))
    assert judge(run.recording()).differences == []
