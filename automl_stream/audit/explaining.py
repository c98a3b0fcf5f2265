"""Why a prediction was made and by which model: everything the record holds of it. No I/O."""

from collections.abc import Iterator, Sequence

import msgspec

from automl_stream.audit.rows import Kept, Truth
from automl_stream.dead_letters.wording import printable, when
from automl_stream.models.history import TOLD_BY, History, fold
from automl_stream.stored_prediction import StoredPrediction
from schemas.messages import Command, DriftAlert, FeatureValue, GateVerdict, Recipe
from schemas.pipeline import Pipeline
from schemas.topics import DRIFT_ALERTS, LABELLED, Topic, topic_name

_ALERTS = 5


class Maker(msgspec.Struct, frozen=True, kw_only=True):
    """The model that made it. `announced`: epoch ms; `by`: who promoted it, the policy or an operator, with the
    `command`; `topic`, `recipe`: the rows it was fitted on and how; `gate`: what it had to show."""

    version: str
    digest: str
    epoch: int
    announced: int
    slot: str
    reason: str
    by: str
    command: Command | None
    decision_id: str
    trigger: str | None
    topic: str
    recipe: Recipe | None
    gate: GateVerdict | None
    run: str | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction. `features` by name where the pipeline file is the one of then, else by place; `maker`: None where
    the audit has no such announcement; `alerts_since`: about this pipeline, after it was made; `deliveries`: of the
    same event."""

    pipeline: str
    prediction: StoredPrediction
    features: dict[str, FeatureValue]
    same_definition: bool
    maker: Maker | None
    truth: Truth | None
    alerts_since: int
    newest_alerts: list[DriftAlert]
    deliveries: int


def history_of(pipeline: str, rows: Sequence[Kept]) -> History:
    """Models, decisions, commands and alerts, as the audit tells of them."""
    names = {topic_name(pipeline, topic): topic for topic in TOLD_BY}
    records: dict[Topic, list[tuple[int, bytes]]] = {topic: [] for topic in TOLD_BY}
    for kept in rows:
        if kept.row.topic in names and kept.row.value is not None:
            records[names[kept.row.topic]].append((kept.row.position, kept.row.value))
    return fold(records)


def explain(pipeline: Pipeline, predictions: Sequence[StoredPrediction], truth: Truth | None,
            rows: Sequence[Kept]) -> Explanation:
    """The first of the predictions of an event, and what came of it."""
    prediction, history = predictions[0], history_of(pipeline.name, rows)
    same = prediction.pipeline_digest == pipeline.digest
    names = [f.name for f in pipeline.features] if same else [f"feature {k}" for k in range(len(prediction.features))]
    alerts = topic_name(pipeline.name, DRIFT_ALERTS)
    times = [kept.row.record_ts for kept in rows if kept.row.topic == alerts and kept.row.value is not None]
    since = [alert for at, alert in zip(times, history.alerts, strict=True) if at >= prediction.scored_at]
    return Explanation(
        pipeline=pipeline.name, prediction=prediction, same_definition=same,
        features=dict(zip(names, prediction.features, strict=True)), maker=_maker(pipeline.name, history, prediction),
        truth=truth, alerts_since=len(since), newest_alerts=since[-_ALERTS:], deliveries=len(predictions))


def _maker(pipeline: str, history: History, prediction: StoredPrediction) -> Maker | None:
    accepted = history.models.find(prediction.model_epoch)
    if accepted is None:
        return None
    announcement = accepted.announcement
    origin = history.origin(announcement.version)
    return Maker(
        version=announcement.version, digest=announcement.model.digest, epoch=accepted.epoch,
        announced=announcement.issued_at, slot=announcement.slot, reason=announcement.reason,
        by=history.who(accepted), command=history.commands.get(announcement.decision_id),
        decision_id=announcement.decision_id, trigger=None if origin is None else origin.trigger,
        topic=topic_name(pipeline, LABELLED), recipe=None if origin is None else origin.recipe,
        gate=None if origin is None else origin.gate, run=None if origin is None else origin.run)


def describe(found: Explanation) -> Iterator[str]:
    """Lines for a person."""
    said = found.prediction
    for name, fact in _facts(found).items():
        yield f"{name:<13}{fact}"
    if found.maker is not None:
        for name, fact in _making(found.maker, said).items():
            yield f"{name:<13}{fact}"
    else:
        yield f"{'model':<13}epoch {said.model_epoch} is not on record"
    yield f"{'alerts since':<13}{found.alerts_since:,}"
    for alert in found.newest_alerts:
        yield f"{'':<13}{when(alert.window_end)} {printable(alert.sentence)}"
    yield ""
    note = "" if found.same_definition else " (the pipeline file has changed since: no names)"
    yield f"features{note}"
    for name, value in found.features.items():
        yield f"  {printable(name)} = {printable(str(value))}"


def _facts(found: Explanation) -> dict[str, str]:
    said, truth = found.prediction, found.truth
    probabilities = "" if said.probabilities is None else f", probabilities {said.probabilities}"
    label = "none yet" if truth is None else printable(truth.label) + (
        f" (revision {truth.revision}{', contradicted' if truth.conflict else ''})")
    more = f"; the first of {found.deliveries} deliveries" if found.deliveries > 1 else ""
    answered = {} if said.answered_epoch is None else {
        "answered": f"over HTTP, by the model of epoch {said.answered_epoch}"}
    return {
        "event": f"{printable(said.event_id)} of {printable(said.entity)} at {when(said.ts)}",
        "source": f"{said.source}, day {said.source_day}{more}",
        "prediction": f"{printable(said.prediction)}, score {said.score}{probabilities}, made {when(said.scored_at)}",
        **answered,
        "label": label,
    }


def _making(maker: Maker, said: StoredPrediction) -> dict[str, str]:
    why = f": {printable(maker.command.reason)}" if maker.command is not None and maker.command.reason else ""
    differs = "" if maker.digest == said.model_digest else f"; the prediction names {said.model_digest}"
    facts = {
        "model": f"version {maker.version}, epoch {maker.epoch}, SHA-256 {maker.digest}{differs}",
        "promoted": f"{when(maker.announced)} as {maker.slot}, {printable(maker.reason)}, by {printable(maker.by)}{why}"
                    f"; decision {maker.decision_id}",
    }
    if maker.recipe is not None:
        data = maker.recipe.dataset
        facts["trained on"] = (f"{data.rows:,} rows of {maker.topic}, offsets {data.first} to {data.last}, SHA-256 "
                               f"{data.digest}; {maker.recipe.family}, window {maker.recipe.window}")
    if maker.gate is not None:
        gate = maker.gate
        facts["gate"] = (f"{gate.rule} on {gate.rows:,} fresh rows: loss {gate.candidate_loss}, the champion's "
                         f"{gate.champion_loss}")
    return facts
