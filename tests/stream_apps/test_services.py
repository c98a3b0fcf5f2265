"""Score and monitor as processes on a real broker: what they promise across kills, swaps and bad models."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Producer

from drift.losses import loss_row
from drift.profile import ReferenceProfile
from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import (
    DriftAlert,
    DriftReport,
    LabelledEvent,
    Model,
    OpenWindow,
    PartitionWatermark,
    Prediction,
    PredictionCounts,
    ScoreState,
    WindowCounts,
)
from schemas.pipeline import LOSS, PREDICTION
from schemas.topics import (
    DRIFT_ALERTS,
    DRIFT_STATS,
    EVENTS,
    LABELLED,
    PREDICTIONS,
    SCORE_STATE,
    WINDOW_COUNTS,
    topic_name,
)
from stream_apps.closing import WindowLedger
from stream_apps.crash_file import DEATHS
from stream_apps.drift_report import DriftJudge, Predictions
from stream_apps.loss_watch import LossWatch
from tests.live import Live, differences
from tests.tiny import (
    SIZE,
    artifact,
    definition,
    event_bytes,
    metadata_of,
    onnx_bytes,
    predictions_bytes,
    profile_bytes,
)
from tests.wait import wait_for

START = 946_684_800_000


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    live = Live(kafka, tmp_path)
    yield live
    live.close()


def write_events(live: Live, first: int, count: int, spacing: int = 20) -> None:
    """Events in both partitions; some are late, some are no events, some have nothing where they may."""
    for partition in (0, 1):
        live.write(EVENTS, partition, *(some_event(k, spacing) for k in range(first, first + count)), key=b"k")


def some_event(k: int, spacing: int) -> bytes:
    if k % 97 == 5:
        return b"{"
    ts = START + k * spacing - (5_000 if k % 50 == 7 else 0)
    return event_bytes(f"e{k}", ts, a=(k % 13) / 4 - 1.5, b=None if k % 7 == 0 else k % 3, c="xyz"[k % 3])


def test_events_before_the_first_model_wait_and_are_then_all_scored(live: Live) -> None:
    write_events(live, 0, 200)
    live.start("score")
    live.until(lambda: b"no model yet" in live.log("score").read_bytes(), "the service to see that there is no model")
    live.until(lambda: b"partitions assigned" in live.log("score").read_bytes(), "its partitions")
    assert live.count(PREDICTIONS) == 0
    live.announce(1.0, -1)
    live.end_replay(START + 4_000)
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    assert len(reading.predictions) + len(reading.dead_letters) == 400


def test_after_kills_in_the_middle_nothing_is_lost_and_the_counts_equal_a_recount(live: Live) -> None:
    live.announce(1.0, -1)
    for kill in range(2):
        write_events(live, kill * 6_000, 6_000)
        before = live.count(PREDICTIONS)
        score = live.start("score")
        live.until(lambda before=before: live.count(PREDICTIONS) > before, "predictions")
        live.kill(score)
    write_events(live, 12_000, 500)
    live.end_replay(START + 12_500 * 20)
    live.start("score")
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    assert len(reading.predictions) + len({e.message.source for e in reading.dead_letters}) == 25_000


def test_at_a_swap_each_prediction_has_the_epoch_that_the_checkpoints_say(live: Live) -> None:
    live.announce(1.0, -1)
    live.start("score")
    epochs = [0]
    live.until(lambda: last_epochs(live.states()) == {0}, "the first model in both partitions")
    for k in range(3):
        write_events(live, k * 2_000, 1_000)
        epochs.append(live.announce(2.0 + k, epochs[-1], shift=float(k)))
        write_events(live, k * 2_000 + 1_000, 1_000)
        live.until(lambda: last_epochs(live.states()) == {epochs[-1]}, "the swap in both partitions")
    live.announce(9.0, 0)  # replaces a model that no longer serves: it loses
    write_events(live, 6_000, 100)
    live.end_replay(START + 6_100 * 20)
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    assert {p.message.model.epoch for found in reading.predictions.values() for p in found} == set(epochs)
    assert wrong_epochs(live.states(), [decode(r.value or b"", Prediction) for r in live.records(PREDICTIONS)]) == []


def test_a_checkpoint_that_a_predecessor_writes_late_does_not_count(live: Live) -> None:
    epoch, late = live.announce(1.0, -1), dict[int, ScoreState]()
    for number in range(2):
        score = live.start("score")
        live.until(lambda epoch=epoch: last_epochs(live.states()) == {epoch}, "the model in both partitions")
        write_events(live, number * 1_000, 1_000)
        live.until(live.covered, "all events to be covered")
        live.kill(score)
        if number == 0:
            late = live.checkpoints()
            epoch = live.announce(2.0, epoch, shift=1.0)
    for partition, state in late.items():
        live.write(SCORE_STATE, partition, encode(state), key=str(partition).encode())
    write_events(live, 2_000, 100)
    live.end_replay(START + 2_100 * 20)
    live.start("score")
    live.until(live.covered, "all events to be covered")
    assert differences(live.reading()) == []
    assert live.count(PREDICTIONS) == len(live.reading().predictions)


def last_epochs(states: list[ScoreState]) -> set[int]:
    last = {state.partition: state.epoch for state in states}
    return set(last.values()) if len(last) == 2 else set()


def wrong_epochs(states: list[ScoreState], predictions: list[Prediction]) -> list[str]:
    """Sources whose prediction has another epoch than the last checkpoint at or before them."""
    wrong = []
    for prediction in predictions:
        partition, offset = map(int, prediction.source.rsplit("-", 2)[1:])
        before = [state for state in states if state.partition == partition and state.covered <= offset]
        if not before or before[-1].epoch != prediction.model.epoch:
            wrong.append(prediction.source)
    return wrong


def test_a_corrupt_artifact_is_refused_and_the_model_before_it_serves_on(live: Live) -> None:
    first = live.announce(1.0, -1)
    live.start("score")
    write_events(live, 0, 100)
    live.until(live.covered, "all events to be covered")
    corrupt = live.announce(2.0, first, corrupt=True)
    live.until(lambda: b"announced model refused" in live.log("score").read_bytes(), "the refusal")
    write_events(live, 100, 100)
    live.until(live.covered, "all events to be covered")
    assert epochs_of(live) == {first}
    repaired = live.announce(3.0, corrupt)
    live.until(lambda: last_epochs(live.states()) == {repaired}, "the swap to the repaired model")
    write_events(live, 200, 100)
    live.until(live.covered, "all events to be covered")
    assert epochs_of(live) == {first, repaired}
    assert differences(live.reading()) == []


def test_a_canary_scores_its_share_until_it_is_withdrawn_and_the_counts_stay_exact(live: Live) -> None:
    first = live.announce(1.0, -1)
    live.start("score")
    canary = live.announce(-1.0, first, canary_share=0.4, shift=9.0)
    live.until(lambda: last_epochs(live.states()) == {canary}, "the canary in both partitions")
    write_entities(live, 0, 400)
    live.until(live.covered, "all events to be covered")
    withdrawn = live.announce(-1.0, canary, canary_share=0.0)
    live.until(lambda: last_epochs(live.states()) == {withdrawn}, "the champion alone")
    write_entities(live, 400, 400)
    live.end_replay(START + 800 * 20)
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    epochs = Counter((int(p.message.event_id[1:]) < 400, p.message.model.epoch)
                     for found in reading.predictions.values() for p in found)
    assert set(epochs) == {(True, first), (True, canary), (False, first)}
    assert 0.3 < epochs[True, canary] / 400 < 0.5


def write_entities(live: Live, first: int, count: int) -> None:
    for k in range(first, first + count):
        live.write(EVENTS, k % 2, event_bytes(f"e{k}", START + k * 20, a=k % 7, b=None), key=b"entity-%d" % k)


@pytest.mark.timeout(600)
def test_a_row_that_the_process_dies_of_is_a_dead_letter_after_three_deaths_and_the_others_are_scored(
        live: Live) -> None:
    live.announce(1.0, -1, fragile=True)
    live.write(EVENTS, 0, *(event_bytes(f"e{k}", START + k, a=500.0 if k in {13, 31} else 1.0, b=0) for k in range(40)),
               key=b"k")
    for _ in range(DEATHS):
        score = live.start("score")
        wait_for(lambda score=score: score.poll() is not None, 120)
        live.expect(score)
    live.start("score")
    live.until(live.covered, "all events to be covered", 180)
    reading = live.reading()
    assert {(x.message.reason, x.message.last_offset) for x in reading.dead_letters} == {("poison", 13), ("poison", 31)}
    assert len(reading.predictions) == 38
    assert differences(reading) == []


def test_events_are_read_however_their_producer_compresses(live: Live, kafka: KafkaAccess) -> None:
    live.announce(1.0, -1)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({**kafka.librdkafka(), "compression.type": codec, "linger.ms": 50})
        for k in range(100):
            producer.produce(topic_name(live.name, EVENTS), event_bytes(f"{codec}-{k}", START + k), partition=0)
        assert producer.flush(30) == 0
    live.start("score")
    live.until(live.covered, "all events to be covered")
    assert live.count(PREDICTIONS) == 500


def epochs_of(live: Live) -> set[int]:
    return {decode(r.value or b"", Prediction).model.epoch for r in live.records(PREDICTIONS)}


PROFILE = profile_bytes()
REFERENCES = [ReferenceProfile.decode(predictions_bytes(highest=highest)) for highest in (1.0, 0.9)]


def said(k: int) -> list[PredictionCounts]:
    """The second champion serves from window 4 on, a canary beside it; from window 9 on it says other things."""
    counts = [PredictionCounts(epoch=epoch, counts=list(REFERENCES[min(epoch, 1)].features[0].counts))
              for epoch in ((1, 2) if k >= 4 else (0,))]
    if k >= 9:
        moved = [0] * REFERENCES[1].size
        moved[-2] = 200
        counts[0] = PredictionCounts(epoch=1, counts=moved)
    return counts


def final_counts(first: int, last: int, profile: bytes = PROFILE, moved_from: int = 6,
                 models: Callable[[int], list[PredictionCounts]] = lambda _: [],
                 ) -> list[WindowCounts | PartitionWatermark]:
    """Windows of both partitions; from number `moved_from` on the first feature lies above its reference."""
    reference = ReferenceProfile.decode(profile)
    words: list[WindowCounts | PartitionWatermark] = []
    for k in range(first, last):
        counts = np.concatenate([np.array(f.counts, dtype=np.int64) for f in reference.features])
        if k >= moved_from:
            border = reference.offsets[1]
            counts[:border], counts[border - 2] = 0, 200
        for partition in (0, 1):
            window = OpenWindow(start=k * SIZE, profile=artifact(profile).digest, profile_epoch=0, rows=200,
                                counts=counts.tolist(), predictions=models(k))
            words += [WindowCounts(partition=partition, covered=k, window=window), PartitionWatermark(
                partition=partition, covered=k, watermark=(k + 1) * SIZE, idle=False)]
    return words


def test_a_killed_monitor_says_what_an_unbroken_one_would_and_nothing_twice(live: Live) -> None:
    live.announce(1.0, -1)
    model, profile = (live.store(data) for data in (onnx_bytes(2.0, metadata_of(live.pipeline)), PROFILE))
    live.announce_stored(model, profile, 0, predictions=live.store(REFERENCES[1].encode()))
    live.announce_stored(model, profile, 1, canary_share=0.5, predictions=live.store(REFERENCES[1].encode()))
    first, second = final_counts(0, 8, models=said), final_counts(8, 12, models=said)
    live.say(WINDOW_COUNTS, *first)
    monitor = live.start("monitor")
    live.until(lambda: live.count(DRIFT_STATS) == 8, "the first reports")
    live.kill(monitor)
    live.say(WINDOW_COUNTS, *first[-6:], *second)  # a restarted scorer repeats itself
    live.start("monitor")
    live.until(lambda: live.count(DRIFT_STATS) >= 12, "all reports")
    reports, alerts = unbroken(live, [*first, *second])
    assert [decode(r.value or b"", DriftReport) for r in live.records(DRIFT_STATS)] == reports
    found = [decode(r.value or b"", DriftAlert) for r in live.records(DRIFT_ALERTS)]
    assert [alert.alert_id for alert in found] == [alert.alert_id for alert in alerts]
    assert found == alerts
    assert len(alerts) >= 4
    assert [PREDICTION in alert.features for alert in alerts[-4:]] == [False, True, True, True]


def unbroken(live: Live, words: list[WindowCounts | PartitionWatermark]) -> tuple[list[DriftReport], list[DriftAlert]]:
    ledger = WindowLedger(partitions=2, size=SIZE)
    judge = DriftJudge(pipeline=live.pipeline, profile=ReferenceProfile.decode(profile_bytes()))
    announcement = live.reading().models.accepted[1].announcement
    model = Model(version=announcement.version, digest=announcement.model.digest, epoch=1)
    judged = [judge.judge(window, 0, Predictions(epoch=epoch, reference=REFERENCES[epoch]))
              for word in words for window in ledger.offer(word) for epoch in [int(window.start >= 4 * SIZE)]]
    return [report for report, _ in judged], [
        judge.alert(report, verdict, model) for report, verdict in judged if verdict.alarm]


def test_a_killed_monitor_remembers_the_losses_that_it_had_counted(live: Live) -> None:
    """Right answers with a claim of 0.8 or 0.9 are normal; wrong ones are a changed concept. No feature moves."""
    profile = profile_bytes(losses=[0.105361, 0.223144] * 100)
    model = live.store(onnx_bytes(1.0, metadata_of(live.pipeline)))
    live.announce_stored(model, live.store(profile), -1)
    words = final_counts(0, 8, profile, moved_from=8)

    live.say(LABELLED, *labelled(0, 100, "yes"))
    live.say(WINDOW_COUNTS, *words[:12])
    monitor = live.start("monitor")
    live.until(lambda: live.count(DRIFT_STATS) == 3, "the first reports")
    live.say(LABELLED, *labelled(100, 40, "yes"), *labelled(140, 60, "no"))
    live.say(WINDOW_COUNTS, *words[12:16])
    live.until(lambda: live.count(DRIFT_STATS) == 4, "the alarm")
    live.kill(monitor)
    live.say(LABELLED, *labelled(200, 30, "yes"))
    live.start("monitor")
    live.say(WINDOW_COUNTS, *words[16:])
    live.until(lambda: live.count(DRIFT_STATS) >= 8, "all reports")

    reports = [decode(r.value or b"", DriftReport) for r in live.records(DRIFT_STATS)]
    losses = [next(f for f in report.features if f.name == LOSS) for report in reports]
    assert [(r.labelled, loss.rows) for r, loss in zip(reports, losses, strict=True)] == [
        (100, 100), (100, 0), (100, 0), (200, 100), *[(230, rows) for rows in (30, 0, 0, 0)]]
    alerts = [decode(r.value or b"", DriftAlert) for r in live.records(DRIFT_ALERTS)]
    assert alerts[0].window_start == 3 * SIZE
    assert (alerts[0].kind, alerts[0].features, alerts[0].labelled_offset) == ("concept", [LOSS], 200)
    assert losses[4].scale > 1  # the restarted monitor pools its first window with those that it did not count itself


@pytest.fixture
def watching(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    """A pipeline with detectors, one of which may alert, and nothing else; it remembers four windows."""
    keys = '[drift]\nmin_effect = 100.0\ndetectors = ["ddm", "page_hinkley"]\nalerting_detectors = ["ddm"]'
    live = Live(kafka, tmp_path, lambda name: definition(name).replace("[drift]", keys))
    yield live
    live.close()


def test_a_killed_monitor_hears_again_all_that_its_detectors_had_heard(watching: Live) -> None:
    live = watching
    profile = profile_bytes(losses=[0.105361, 0.223144] * 100)
    live.announce_stored(live.store(onnx_bytes(1.0, metadata_of(live.pipeline))), live.store(profile), -1)
    words = final_counts(0, 8, profile, moved_from=8)
    answers = (["yes"] * 9 + ["no"]) * 33 + ["no", "yes"] * 55
    rows = [row for k, label in enumerate(answers) for row in labelled(k, 1, label)]
    monitor, fed = live.start("monitor"), 0
    for number in range(8):
        if number == 5:
            live.kill(monitor)
            live.start("monitor")
        live.say(LABELLED, *rows[fed:fed + 55])
        fed += 55
        live.say(WINDOW_COUNTS, *words[4 * number:4 * number + 4])
        live.until(lambda number=number: live.count(DRIFT_STATS) == number + 1, "the report")
    reports = [decode(r.value or b"", DriftReport) for r in live.records(DRIFT_STATS)]
    watch = LossWatch(pipeline=live.pipeline, profile=ReferenceProfile.decode(profile))
    heard = [loss_row("binary", offset, row) for offset, row in enumerate(rows)]
    expected = [firing for row in heard if row is not None for firing in watch.see(row)]
    assert [firing for report in reports for firing in report.firings] == expected
    assert [firing.detector for firing in expected] == ["ddm", "page_hinkley"]
    assert [len(report.firings) for report in reports] == [0, 0, 0, 0, 0, 0, 2, 0]
    (alert,) = [decode(r.value or b"", DriftAlert) for r in live.records(DRIFT_ALERTS)]
    assert (alert.kind, alert.detector, alert.window_start) == ("concept", "ddm", 6 * SIZE)


def test_a_window_that_has_an_alert_and_no_report_is_judged_by_the_rows_of_the_alert(watching: Live) -> None:
    """So a crash between the two, and labels that come meanwhile, make no other alert of it."""
    live = watching
    profile = profile_bytes(losses=[0.105361, 0.223144] * 100)
    live.announce_stored(live.store(onnx_bytes(1.0, metadata_of(live.pipeline))), live.store(profile), -1)
    live.say(LABELLED, *labelled(0, 90, "yes"))
    live.say(DRIFT_ALERTS, DriftAlert(
        alert_id="a", kind="concept", window_start=0, window_end=SIZE, scale=1, onset=0, features=[LOSS], sentence="",
        budget="", profile=artifact(profile).digest, model=Model(version="1", digest="d", epoch=0), labelled_offset=40))
    live.say(WINDOW_COUNTS, *final_counts(0, 2, profile))
    live.start("monitor")
    live.until(lambda: live.count(DRIFT_STATS) == 2, "both reports")
    assert [decode(r.value or b"", DriftReport).labelled for r in live.records(DRIFT_STATS)] == [40, 90]


def labelled(first: int, count: int, label: str) -> list[LabelledEvent]:
    """Rows that the first model had answered with "yes"."""
    return [LabelledEvent(event_id=f"e{k}", entity="k", ts=START, source=f"s-0-{k}", pipeline_digest="d",
                          features=[0.0, 0.0, "x"], label=label, labelled_ts=START, prediction="yes",
                          score=0.8 if k % 2 else 0.9, model=Model(version="1", digest="d", epoch=0))
            for k in range(first, first + count)]
