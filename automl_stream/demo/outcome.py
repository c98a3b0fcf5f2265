"""What the topics say after a run: counts, quality, alerts, decisions, versions."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from automl_stream.demo.frozen import FrozenModel
from automl_stream.demo.quality import Quality, judge, live_answers
from automl_stream.topic_log import Log, Record, TopicLog
from kafka_access.access import KafkaAccess
from schemas.codec import WATERMARK_HEADER, decode
from schemas.messages import DeadLetter, DriftAlert, LabelValue, Prediction, TrainingDecision, derived_id
from schemas.model_log import Accepted, ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import (
    DEAD_LETTERS,
    DRIFT_ALERTS,
    EVENTS,
    MODEL_ARTIFACTS,
    MODEL_UPDATES,
    PREDICTIONS,
    TRAINING_DECISIONS,
    Topic,
    topic_name,
)


class Outcome(Struct, frozen=True, kw_only=True):
    """Figures of a run. `seconds_from_alert_to_serving`: one an incident that led to a promotion."""

    rows: int
    predictions: int
    dead_letters: int
    lost: int
    raw_repeats: int
    live: Quality
    frozen: Quality
    alerts: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    versions: list[dict[str, Any]]
    seconds_from_alert_to_serving: list[float]


class _Log(Struct, kw_only=True):
    """The topics, read."""

    events: set[tuple[int, int]]
    predictions: list[Prediction]
    dead: set[str]
    alerts: list[tuple[int, DriftAlert]]
    decisions: list[TrainingDecision]
    models: ModelLog
    artifacts: Log


def read_outcome(pipeline: Pipeline, access: KafkaAccess, truth: Mapping[str, LabelValue]) -> Outcome:
    """Outcome of the run whose rows had the labels `truth`, by event id."""
    log = _read(pipeline, access)
    winners = _winners(log.predictions)
    judged = [p for p in winners.values() if p.event_id in truth]
    live, frozen = _quality(pipeline, log, judged, [truth[p.event_id] for p in judged])
    sources = {tuple(map(int, source.rsplit("-", 2)[1:])) for source in winners}
    dead = {tuple(map(int, source.rsplit("-", 2)[1:])) for source in log.dead}
    return Outcome(
        rows=len(log.events), predictions=len(winners), dead_letters=len(log.dead),
        lost=len(log.events - sources - dead), raw_repeats=len(log.predictions) - len(winners),
        live=live, frozen=frozen,
        alerts=[_alert(alert) for _, alert in log.alerts],
        decisions=[msgspec.to_builtins(decision) for decision in log.decisions],
        versions=[_version(accepted) for accepted in log.models.accepted],
        seconds_from_alert_to_serving=_reactions(log, winners.values()),
    )


def _read(pipeline: Pipeline, access: KafkaAccess) -> _Log:
    wanted = (EVENTS, PREDICTIONS, DEAD_LETTERS, DRIFT_ALERTS, TRAINING_DECISIONS, MODEL_UPDATES, MODEL_ARTIFACTS)
    names = {topic.name: topic_name(pipeline.name, topic) for topic in wanted}
    kafka = TopicLog(access)
    try:
        logs = kafka.read({name: kafka.bounds(name) for name in names.values()})
    finally:
        kafka.close()

    def records(topic: Topic) -> Sequence[Record]:
        return [record for record in logs[names[topic.name]].records if record.value is not None]

    models = ModelLog()
    for record in records(MODEL_UPDATES):
        models.read(record.offset, record.value)
    alerts: dict[str, tuple[int, DriftAlert]] = {}
    for record in records(DRIFT_ALERTS):
        alert = decode(record.value or b"", DriftAlert)
        alerts.setdefault(alert.alert_id, (record.timestamp, alert))
    decisions: dict[tuple[str, str], TrainingDecision] = {}
    for record in records(TRAINING_DECISIONS):
        decision = decode(record.value or b"", TrainingDecision)
        decisions.setdefault((decision.decision_id, decision.verdict), decision)
    return _Log(
        events={(r.partition, r.offset) for r in logs[names[EVENTS.name]].records if WATERMARK_HEADER not in r.headers},
        predictions=[decode(r.value or b"", Prediction) for r in records(PREDICTIONS)],
        dead={decode(r.value or b"", DeadLetter).source for r in records(DEAD_LETTERS)},
        alerts=list(alerts.values()), decisions=list(decisions.values()), models=models,
        artifacts=logs[names[MODEL_ARTIFACTS.name]],
    )


def _winners(predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    """The prediction of each source that counts: the highest epoch's."""
    winners: dict[str, Prediction] = {}
    for p in predictions:
        if p.source not in winners or p.model.epoch > winners[p.source].model.epoch:
            winners[p.source] = p
    return winners


def _quality(pipeline: Pipeline, log: _Log, judged: Sequence[Prediction],
             truth: Sequence[LabelValue]) -> tuple[Quality, Quality]:
    models = {a.epoch: FrozenModel.open(pipeline, a.announcement.model, log.artifacts) for a in log.models.accepted}
    known = [models[p.model.epoch].metadata.classes for p in judged]
    named = {name for names in known for name in names} | {str(label) for label in truth}
    classes = [] if pipeline.task == "regression" else sorted(named)
    first = models[log.models.accepted[0].epoch]
    return (judge(pipeline.task, truth, live_answers(judged, classes, known), classes),
            judge(pipeline.task, truth, first.answers(judged, classes), classes))


def _alert(alert: DriftAlert) -> dict[str, Any]:
    keys = ("alert_id", "kind", "window_start", "window_end", "scale", "onset", "features", "sentence",
            "labelled_offset", "detector")
    return {key: getattr(alert, key) for key in keys}


def _version(accepted: Accepted) -> dict[str, Any]:
    a = accepted.announcement
    return {"version": a.version, "epoch": accepted.epoch, "digest": a.model.digest, "profile": a.profile.digest,
            "predictions": None if a.predictions is None else a.predictions.digest,
            "reason": a.reason, "decision_id": a.decision_id}


def _reactions(log: _Log, winners: Any) -> list[float]:
    """Seconds from the alert that opened an incident to the first prediction by its first promoted model."""
    incident_of = {d.decision_id: d.incident_id for d in log.decisions if d.incident_id}
    first_scored: dict[int, int] = {}
    for p in winners:
        first_scored[p.model.epoch] = min(p.scored_at, first_scored.get(p.model.epoch, p.scored_at))
    served: dict[str, int] = {}
    for accepted in log.models.accepted:
        incident = incident_of.get(accepted.announcement.decision_id)
        if incident and accepted.epoch in first_scored:
            served.setdefault(incident, first_scored[accepted.epoch])
    opened = {derived_id("incident", alert.alert_id): said for said, alert in log.alerts}
    return [(at - opened[incident]) / 1_000 for incident, at in served.items() if incident in opened]
