"""A run of the services without Kafka: their pure steps over a hand-made topic, in chunks, with swaps and repeats."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from automl_stream.stored_prediction import StoredPrediction
from automl_stream.topic_log import Log, Record
from automl_stream.verify.recording import LabelRow, MessageRow, Recording, Rows
from automl_stream.verify.tables import RECORDED
from drift.losses import loss_row
from drift.profile import ReferenceProfile
from schemas.codec import ANSWERED_EPOCH, WATERMARK_HEADER, decode, encode
from schemas.messages import (
    Artifact,
    DriftAlert,
    DriftReport,
    FeatureDrift,
    Label,
    LabelledEvent,
    Message,
    Model,
    ModelAnnouncement,
    PartitionWatermark,
    Prediction,
    ScoreState,
    TrainingDecision,
    Watermark,
    WindowCounts,
    derived_id,
)
from schemas.model_log import Accepted, ModelLog
from schemas.pipeline import LOSS, PREDICTION, Pipeline
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
    TOPICS,
    TRAINING_DECISIONS,
    WINDOW_COUNTS,
    Topic,
    topic_name,
)
from stream_apps.closing import WindowLedger
from stream_apps.loss_watch import LossWatch, alerting_firing, detector_alert
from stream_apps.model_slot import LoadedModel, load_model
from stream_apps.scoring import ScoredChunk, Scorer
from stream_apps.windows import PartitionWindows, WindowSettings
from tests.tiny import predictions_bytes, serving

from .model import onnx_bytes, profile_bytes, tiny_pipeline

TOPIC_ID = "A-topic-id"
MODEL = Model(version="1", digest="", epoch=0)
WALL = 1_700_000_000_000


@dataclass(kw_only=True)
class Run:
    """The topics as they grow."""

    pipeline: Pipeline
    records: dict[str, list[Record]] = field(default_factory=lambda: {topic.name: [] for topic in TOPICS})
    models: ModelLog = field(default_factory=ModelLog)
    profiles: dict[str, ReferenceProfile] = field(default_factory=dict)

    def append(self, topic: Topic, partition: int, key: bytes | None, value: bytes | None,
               *headers: tuple[str, bytes]) -> int:
        """Write a record; returns its offset."""
        offset = sum(1 for r in self.records[topic.name] if r.partition == partition)
        self.records[topic.name].append(Record(partition=partition, offset=offset, timestamp=WALL + offset, key=key,
                                               value=value, headers=headers))
        return offset

    def say(self, topic: Topic, message: Message, key: str = "", partition: int = 0) -> None:
        """Write a message."""
        self.append(topic, partition, key.encode(), encode(message))

    def announce(self, model: bytes, profile: bytes, predictions: bytes | None = None) -> LoadedModel:
        """Artifacts, announcement and decision of a model."""
        version = str(len(self.models.accepted) + 1)
        announcement = ModelAnnouncement(replaces=self.models.epoch, version=version, model=self._artifact(model),
                                         profile=self._artifact(profile), reason="test", decision_id=f"d{version}",
                                         predictions=self._artifact(predictions) if predictions else None,
                                         issued_at=WALL)
        epoch = self.append(MODEL_UPDATES, 0, b"champion", encode(announcement))
        assert self.models.offer(epoch, announcement)
        self.say(TRAINING_DECISIONS, TrainingDecision(
            decision_id=f"d{version}", incident_id=None, trigger="test", verdict="promoted", reason="test", at=0,
            version=version), f"d{version}")
        accepted: Accepted = self.models.accepted[-1]
        self.profiles[announcement.profile.digest] = ReferenceProfile.decode(profile)
        return load_model(accepted, model, profile, self.pipeline, predictions)

    def _artifact(self, data: bytes) -> Artifact:
        digest = hashlib.sha256(data).hexdigest()
        half = len(data) // 2
        offset = self.append(MODEL_ARTIFACTS, 0, f"{digest}/0".encode(), data[:half])
        self.append(MODEL_ARTIFACTS, 0, f"{digest}/1".encode(), data[half:])
        return Artifact(digest=digest, size=len(data), offset=offset)

    def event(self, partition: int, event_id: str, ts: int, features: Mapping[str, object],
              answered: Model | None = None) -> None:
        """An event whose entity is its id; `answered`: by whom somebody was answered about it."""
        value = msgspec.json.encode({"event_id": event_id, "ts": ts, "entity": event_id, "features": features})
        headers = [] if answered is None else [(ANSWERED_EPOCH, b"%d" % answered.epoch)]
        self.append(EVENTS, partition, event_id.encode(), value, *headers)

    def watermark(self, partition: int, ts: int, *, ends: bool = False) -> None:
        """A producer's watermark."""
        self.append(EVENTS, partition, None, encode(Watermark(ts=ts, ends=ends)), WATERMARK_HEADER)

    def score(self, partition: int, chunks: Sequence[tuple[int, LoadedModel, bool]]) -> None:
        """Score a partition: chunks of (rows, model, whether it crashes before its checkpoint and is scored again)."""
        scorer = Scorer(self.pipeline, TOPIC_ID)
        settings = WindowSettings(size=self.pipeline.windows.size, lateness=self.pipeline.windows.lateness)
        windows = PartitionWindows(partition=partition, settings=settings)
        waiting = [r for r in self.records[EVENTS.name] if r.partition == partition]
        for rows, model, crashes in chunks:
            chunk, waiting = waiting[:rows], waiting[rows:]
            if crashes:
                self._deliver(partition, scorer.run(chunk, partition, serving(model), WALL))
            scored = scorer.run(chunk, partition, serving(model), WALL + 1)
            self._deliver(partition, scored)
            final = windows.add(scored.rows, model.layout)
            if chunk:
                self._checkpoint(windows, final, chunk[-1].offset + 1, model.model.epoch)

    def _deliver(self, partition: int, scored: ScoredChunk) -> None:
        for key, value in scored.predictions:
            self.append(PREDICTIONS, partition, key, value)
        for key, value in scored.dead_letters:
            self.append(DEAD_LETTERS, 0, key, value)

    def _checkpoint(self, windows: PartitionWindows, final: list[WindowCounts], covered: int, epoch: int) -> None:
        for counts in final:
            self.say(WINDOW_COUNTS, counts)
        self.say(WINDOW_COUNTS, PartitionWatermark(partition=windows.partition, covered=covered,
                                                   watermark=windows.watermark, idle=False))
        self.say(SCORE_STATE, ScoreState(
            partition=windows.partition, covered=covered, epoch=epoch, watermark=windows.watermark,
            windows=windows.snapshot(), late_rows=windows.late_rows, paused=windows.paused),
            partition=windows.partition)

    def label_everything(self, label_of: Callable[[Prediction], str] = lambda _: "1") -> None:
        """A label of each scored event, and its pair in the training log."""
        for prediction in self._winners().values():
            truth = label_of(prediction)
            label = Label(event_id=prediction.event_id, entity=prediction.entity, ts=prediction.ts + 5, label=truth)
            self.say(LABELS, label, prediction.entity, int(prediction.source.split("-")[-2]))
            self.say(LABELLED, LabelledEvent(
                event_id=prediction.event_id, entity=prediction.entity, ts=prediction.ts, source=prediction.source,
                pipeline_digest=prediction.pipeline_digest, features=prediction.features, label=truth,
                labelled_ts=label.ts, model=prediction.model, prediction=prediction.prediction,
                score=prediction.score, probabilities=prediction.probabilities), prediction.event_id)

    def report_everything(self, alarm: int | None = 0) -> None:
        """A report of each closed window; number `alarm` has an alert."""
        ledger = WindowLedger(partitions=self.pipeline.pipeline.partitions, size=self.pipeline.windows.size)
        read_counts = msgspec.json.Decoder(WindowCounts | PartitionWatermark).decode
        messages = [read_counts(r.value or b"") for r in self.records[WINDOW_COUNTS.name]]
        closed = [window for message in messages for window in ledger.offer(message)]
        events = [decode(r.value or b"", LabelledEvent) for r in self.records[LABELLED.name]]
        served = [self._profile(event.model.epoch) for event in events if event.model is not None]
        labelled, watches = 0, {d: LossWatch(pipeline=self.pipeline, profile=p) for d, p in self.profiles.items()}
        for number, window in enumerate(closed):
            alarms = number == alarm
            before, labelled = labelled, len(served) * (number + 1) // len(closed)
            losses = served[before:labelled].count(window.profile)
            rows = [loss_row(self.pipeline.task, offset, events[offset]) for offset in range(before, labelled)
                    if served[offset] == window.profile]
            firings = [f for row in rows if row is not None for f in watches[window.profile].see(row)]
            end = window.start + self.pipeline.windows.size
            said = [_drift(PREDICTION, rows=int(window.predictions[max(window.predictions)].sum()))
                    ] if window.predictions else []
            features = [_drift("a", alarm=alarms), _drift("b", alarm=False), *said, _drift(LOSS, rows=losses)]
            report = DriftReport(window_start=window.start, window_end=end, profile=window.profile, rows=window.rows,
                                 covered=window.covered, pipeline_digest=self.pipeline.digest, alarm=alarms,
                                 verdict="words", features=features, labelled=labelled, firings=firings)
            firing = alerting_firing(self.pipeline, report)
            if firing is not None:
                self.say(DRIFT_ALERTS, detector_alert(self.pipeline, report, firing, events[0].model or MODEL))
            if alarms:
                self.say(DRIFT_ALERTS, DriftAlert(
                    alert_id=derived_id("tiny", window.profile, "covariate", window.start), kind="covariate",
                    window_start=window.start, window_end=end, scale=1, onset=window.start, features=["a"],
                    sentence="words", budget="", profile=window.profile,
                    model=MODEL, labelled_offset=labelled))
            self.say(DRIFT_STATS, report)

    def recording(self) -> Recording:
        """What Kafka and PostgreSQL would hold."""
        logs = {topic.name: self._log(topic) for topic in TOPICS}
        messages = [MessageRow(topic=topic_name("tiny", topic), partition=r.partition, position=r.offset,
                               record_ts=r.timestamp, key=r.key, value=r.value)
                    for topic in RECORDED for r in self.records[topic.name]]
        rows = Rows(predictions=[_row(p) for p in self._winners().values()], messages=messages, refused=[],
                    labels=[_label_row(decode(r.value or b"", Label)) for r in self.records[LABELS.name]])
        return Recording(pipeline=self.pipeline, topic_id=TOPIC_ID, logs=logs, rows=rows)

    def _log(self, topic: Topic) -> Log:
        records = sorted(self.records[topic.name], key=lambda r: (r.partition, r.offset))
        partitions = topic.partitions or self.pipeline.pipeline.partitions
        ends = {p: (0, sum(1 for r in records if r.partition == p)) for p in range(partitions)}
        return Log(records=records, bounds=ends)

    def _profile(self, epoch: int) -> str:
        """Digest of the profile that a model served under."""
        models = ModelLog()
        for record in self.records[MODEL_UPDATES.name]:
            models.read(record.offset, record.value)
        accepted = models.find(epoch)
        assert accepted is not None
        return accepted.announcement.profile.digest

    def _winners(self) -> dict[str, Prediction]:
        found: dict[str, Prediction] = {}
        for record in self.records[PREDICTIONS.name]:
            prediction = decode(record.value or b"", Prediction)
            known = found.get(prediction.source)
            if known is None or known.model.epoch < prediction.model.epoch:
                found[prediction.source] = prediction
        return found


def _row(p: Prediction) -> StoredPrediction:
    _, partition, position = p.source.rsplit("-", 2)
    return StoredPrediction(
        source=p.source, source_day=p.source_day, partition=int(partition), position=int(position),
        event_id=p.event_id, entity=p.entity, ts=p.ts, pipeline_digest=p.pipeline_digest,
        model_version=p.model.version, model_digest=p.model.digest, model_epoch=p.model.epoch,
        prediction=str(p.prediction), score=p.score, probabilities=p.probabilities, features=p.features,
        scored_at=p.scored_at, answered_epoch=None if p.answered_epoch is msgspec.UNSET else p.answered_epoch)


def _label_row(label: Label) -> LabelRow:
    return LabelRow(entity=label.entity, event_id=label.event_id, ts=label.ts, label=str(label.label),
                    revision=label.revision, labeller=label.labeller, implicit=False, conflict=False, expired=False,
                    emitted=True)


def _drift(name: str, *, alarm: bool = False, rows: int = 1) -> FeatureDrift:
    return FeatureDrift(name=name, rows=rows, missing=0.0, ks=None, psi=None, jensen_shannon=None, effect=0.0,
                        lower_bound=0.0, log_p=0.0, scale=1, contrast="", calibrated=True, alarm=alarm)


def small_run() -> Run:
    """Two partitions, two models with a profile each, a crash, a late row, a dead letter, an ended replay."""
    run = Run(pipeline=tiny_pipeline())
    first = run.announce(onnx_bytes(run.pipeline, 1.0), profile_bytes(0.0), predictions_bytes())
    second = run.announce(onnx_bytes(run.pipeline, -2.0), profile_bytes(1.0), predictions_bytes("binary", 0.5))
    for i in range(40):
        run.event(i % 2, f"e{i}", i * 1_000, {"a": i / 10 - 2, "b": None if i % 7 == 0 else i % 3, "c": "xyz"[i % 3]})
    run.append(EVENTS, 0, b"bad", b"{")
    run.event(1, "late", 1_000, {"a": 0, "b": 0, "c": "x"}, answered=second.model)
    for partition in range(2):
        run.watermark(partition, 39_000, ends=True)
        run.event(partition, f"after{partition}", 45_000, {"a": 0, "b": 0, "c": "x"},
                  answered=[None, first.model][partition])
    run.score(0, [(5, first, False), (8, first, True), (20, second, False)])
    run.score(1, [(9, first, False), (1, second, False), (20, second, False)])
    run.label_everything()
    run.report_everything()
    return run
