"""The wire format: these bytes are what other versions and other people's programs write and read."""

from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

from schemas.codec import EventCodec, decode, encode
from schemas.messages import (
    Artifact,
    AuditHead,
    Baseline,
    Candidate,
    Command,
    Configuration,
    Dataset,
    DeadLetter,
    DriftAlert,
    DriftReport,
    Expert,
    FeatureDrift,
    Firing,
    GateVerdict,
    Incident,
    Label,
    LabelledEvent,
    Message,
    Model,
    ModelAnnouncement,
    OpenWindow,
    PartitionCount,
    PartitionWatermark,
    PastIncident,
    Prediction,
    PredictionCounts,
    Quality,
    QualityReport,
    Recipe,
    ScoreState,
    TrainerState,
    TrainingDecision,
    TrainingRound,
    Trial,
    Watermark,
    WindowCounts,
    WindowRecord,
    derived_id,
)
from schemas.model_file import ModelMetadata
from schemas.pipeline import Feature, Identity, Pipeline

GOLDEN = Path(__file__).with_name("golden")
MODEL = Model(version="7", digest="ab12", epoch=41)
WINDOW = OpenWindow(start=200_000, profile="cd34", profile_epoch=3, rows=2, counts=[1, 0, 1],
                    predictions=[PredictionCounts(epoch=41, counts=[0, 2])])
DATASET = Dataset(first=10, last=259, rows=250, digest="ef56")
RECIPE = Recipe(family="lightgbm", window="onset", dataset=DATASET, seed=5)
EXPERT = Expert(decision_id="d1", recipe=RECIPE, rows=3, loss=0.5, weight=2.5, shared_rows=2, shared_loss=0.25,
                champion_loss=0.75, evidence=0.5, counter_evidence=-0.5, version="7", registered="d1")

EXAMPLES: list[Message] = [
    Watermark(ts=946_684_800_000, ends=True),
    Prediction(event_id="e1", entity="card-9", ts=946_684_800_000, source="T-0-12", source_day="2026-01-31",
               pipeline_digest="aa", model=MODEL, prediction="yes", score=0.75, probabilities=[0.25, 0.75],
               features=[1.5, "grün", True, None], scored_at=1_769_817_600_000, answered_epoch=40),
    DeadLetter(source="T-0-13", reason="invalid", detail="Expected `float`, got `str`", raw=b"\xff\x00{", raw_key=b"k",
               record_ts=1_769_817_600_000, last_offset=13),
    ScoreState(partition=0, covered=14, epoch=41, watermark=None, windows=[WINDOW], late_rows=1, paused=False,
               predicted=20, term=3),
    WindowCounts(partition=0, covered=14, window=WINDOW),
    PartitionWatermark(partition=1, covered=0, watermark=None, idle=True),
    PartitionCount(partitions=4, before=2),
    Label(event_id="e1", entity="card-9", ts=946_684_900_000, label=True, revision=1, labeller="desk-2"),
    LabelledEvent(event_id="e1", entity="card-9", ts=946_684_800_000, source="T-0-12", pipeline_digest="aa",
                  features=[1.5, None], label="yes", revision=1, labelled_ts=946_684_900_000, model=MODEL,
                  prediction="no", score=0.25, probabilities=[0.75, 0.25], labeller="desk-2", implicit=False,
                  conflict=True),
    QualityReport(first=250, last=749, window_start=946_684_800_000, window_end=946_685_299_000, left_out=1,
                  qualities=[Quality(rows=500, accuracy=0.75, log_loss=0.5, brier=0.25, auc=0.875,
                                     no_change_accuracy=0.5, kappa_temporal=0.5),
                             Quality(version="7", rows=2, mae=0.5, rmse=0.75, no_change_mae=1.5),
                             Quality(feature="c", value="x", rows=1, accuracy=1.0)],
                  classes=["no", "yes"], previous="yes", pipeline_digest="aa"),
    DriftReport(window_start=0, window_end=200_000, profile="cd34", rows=2, covered={"0": 14}, pipeline_digest="aa",
                alarm=False, verdict="No drift in 2 rows.", features=[FeatureDrift(
                    name="amount", rows=2, missing=0.5, ks=None, psi=0.125, jensen_shannon=None, effect=-0.5,
                    lower_bound=0.25, log_p=-3.5, scale=1, contrast="location", calibrated=False, alarm=False,
                    wasserstein=0.5, chi_square=4.5, chi_square_p=0.25, mean_shift=-0.5, spread_shift=None,
                    uncalibrated="too short", counts=[1, 0, 1])], onset=-200_000, labelled=250,
                firings=[Firing(detector="adwin", offset=223, rose=True)], config=4, predictions=3),
    DriftAlert(alert_id="a1", kind="covariate", window_start=0, window_end=200_000, scale=2, onset=-200_000,
               features=["amount"], sentence="Drift: amount moved up.", budget="1 in 1000 windows", profile="cd34",
               model=MODEL, labelled_offset=250, detector="adwin"),
    Command(command_id="k1", action="promote", version="7", share=0.125, by="ada", reason="as good, and smaller",
            labelled_offset=250, issued_at=1_769_817_600_000),
    Configuration(text="[pipeline]\n", digest="aa", replaces=3, by="ada", reason="fewer alarms", labelled_offset=250,
                  issued_at=1_769_817_600_000),
    TrainingDecision(decision_id="d1", incident_id=None, trigger="refresh", verdict="promoted", reason="lower loss",
                     at=250, dataset=DATASET, candidates=[Candidate(recipe=RECIPE, loss=None, rows=0)], recipe=RECIPE,
                     gate=GateVerdict(rule="bootstrap", champion_loss=0.5, candidate_loss=0.25, rows=100,
                                      evidence=5.5, golden="fe"), version="8", run="r1", by="ada",
                     environment={"python": "3.11.7"}),
    TrainerState(covered=250, covered_alerts=1, labels=240, event_time=946_684_800_000, loss_scale=1.0,
                 champion=EXPERT, champion_epoch=41, experts=[EXPERT],
                 rounds=[TrainingRound(decision_id="d2", trigger="incident", dataset=DATASET, incident_id="i1",
                                       multiple=1)],
                 incident=Incident(incident_id="i1", onset=200, opened=210, labels=40),
                 last_incident=PastIncident(opened=100, settled=150),
                 last_alert="a1", refreshed_labels=200, refreshed_at=946_684_700_000, covered_commands=2,
                 promoted_labels=230, former=["6"], paused="ada: a holiday", strikes=[946_684_700_000],
                 trial=Trial(decision_id="d3", family="logistic", window="all", epoch=43, share=0.125, labels=235),
                 canary_epoch=43, baseline=Baseline(weight=2.0, loss=1.5, counts={"no": 0.5, "yes": 1.5}), hopeless=1,
                 covered_config=5),
    ModelAnnouncement(slot="canary", share=0.25, replaces=41, version="8",
                      model=Artifact(digest="ab", size=10, offset=5), profile=Artifact(digest="cd", size=3, offset=6),
                      predictions=Artifact(digest="ef", size=2, offset=7), reason="lower loss", decision_id="d1",
                      issued_at=1_769_817_600_000),
    AuditHead(topic="p.commands", partition=0, position=7, chain="ab" * 32),
]


def golden(message: Message) -> bytes:
    return (GOLDEN / f"{type(message).__name__}.json").read_bytes().rstrip(b"\n")


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_a_message_is_written_as_it_always_was(message: Message) -> None:
    assert encode(message) == golden(message)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_bytes_of_old_are_read_as_they_always_were(message: Message) -> None:
    assert decode(golden(message), type(message)) == message


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: type(m).__name__)
def test_a_reader_ignores_fields_that_it_does_not_know(message: Message) -> None:
    wider = golden(message)[:-1] + b',"of_a_later_version":{"a":[1]}}'
    assert decode(wider, type(message)) == message


def test_a_report_from_before_it_had_an_onset_and_more_statistics_is_still_read() -> None:
    old = (GOLDEN / "DriftReport.first.json").read_bytes().rstrip(b"\n")
    report = decode(old, DriftReport)
    (feature,) = report.features
    assert (report.onset, report.rows, feature.psi, feature.uncalibrated) == (None, 2, 0.125, "")
    assert (report.firings, report.predictions, feature.counts) == ([], -1, [])
    assert (feature.wasserstein, feature.chi_square, feature.mean_shift, feature.spread_shift) == (None,) * 4


def test_a_prediction_of_an_event_that_nobody_was_answered_about_says_nothing_of_it() -> None:
    golden = (GOLDEN / "Prediction.unanswered.json").read_bytes().rstrip(b"\n")
    message = decode(golden, Prediction)
    assert message.answered_epoch is UNSET
    assert encode(message) == golden


def test_every_message_type_has_golden_bytes() -> None:
    own = {kind for kind in Message.__subclasses__() if kind.__module__ == Message.__module__}
    assert own == {type(message) for message in EXAMPLES}


def test_an_event_is_written_as_it_always_was() -> None:
    pipeline = Pipeline(pipeline=Identity(name="p", task="binary"), features=(Feature(name="a", type="number"),))
    written = EventCodec(pipeline).encode("e1", 5, "card-9", {"a": 1.5})
    assert written == b'{"v":1,"event_id":"e1","ts":5,"entity":"card-9","features":{"a":1.5}}'


def test_the_metadata_of_a_model_is_written_as_it_always_was() -> None:
    metadata = ModelMetadata(task="binary", categories={"c": ("x",)}, classes=("no", "yes"), features=(
        Feature(name="c", type="category", optional=True, default="x"), Feature(name="b", type="boolean")),
        background=(("x", True), (None, False)))
    text = ('{"task":"binary","features":[{"name":"c","type":"category","optional":true,"default":"x","owner":"",'
            '"description":""},{"name":"b","type":"boolean","optional":false,"default":null,"owner":"",'
            '"description":""}],"categories":{"c":["x"]},"classes":["no","yes"],"background":[["x",true],[null,false]]}')
    assert metadata.to_json() == text
    assert ModelMetadata.from_json(text) == metadata
    assert metadata.codes() == [{"x": 0}, {False: 0, True: 1}]


def test_the_digest_of_a_pipeline_is_what_it_always_was() -> None:
    pipeline = Pipeline(pipeline=Identity(name="p", task="binary"), features=(Feature(name="a", type="number"),))
    assert pipeline.digest == (GOLDEN / "pipeline.sha256").read_text().strip()


def test_what_is_said_of_windows_and_partitions_is_told_apart_on_one_topic() -> None:
    decoder = msgspec.json.Decoder(WindowRecord)
    for message in EXAMPLES:
        if isinstance(message, WindowRecord):
            assert decoder.decode(encode(message)) == message


def test_equal_parts_give_equal_ids_and_other_borders_between_parts_other_ones() -> None:
    assert derived_id("p", "cd34", "covariate", 200_000) == "0451ca49cd08290134af"
    assert derived_id("ab", "c") != derived_id("a", "bc")
