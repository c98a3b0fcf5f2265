"""Version 1: a labelled file's rows go to the training log, and the first model is trained from there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from schemas.codec import decode, encode
from schemas.messages import (
    Candidate,
    Dataset,
    Expert,
    GateVerdict,
    LabelledEvent,
    Recipe,
    TrainerState,
    TrainingDecision,
    derived_id,
)
from schemas.model_log import NO_EPOCH
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, TRAINER_STATE, TRAINING_DECISIONS, topic_name
from trainer.announce import Announcer
from trainer.candidates import FittedExpert, fit
from trainer.errors import AlreadyBootstrapped, UnusableRows
from trainer.history import History, Rows, TrainingRows
from trainer.kafka_log import Kafka, LogReader, LogWriter
from trainer.promotion import Promoted, Promoter, Promotion
from trainer.reference import reference_profile
from trainer.registry import Registry
from trainer.settings import RegistrySettings

HOLDOUT = 0.2
MIN_ROWS = 50
PARITY_ROWS = 2_000
PREFIX = "bootstrap-"


@dataclass(frozen=True, kw_only=True)
class Connections:
    """Where bootstrap reads and writes: librdkafka settings, and MLflow."""

    kafka: Kafka
    registry: RegistrySettings


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What bootstrap made. `holdout`: mean loss by family on the last fifth of the rows (regression: mean absolute
    error in the label's unit)."""

    decision_id: str
    version: str
    epoch: int
    rows: int
    family: str
    holdout: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """The family that answered best on the rows that its trial was not fitted on."""

    family: str
    candidates: list[Candidate]
    holdout: dict[str, float]
    loss_scale: float


def bootstrap(pipeline: Pipeline, rows: Iterable[LabelledEvent], connections: Connections, clock: Callable[[], int],
              progress: Callable[[str], None]) -> Summary:
    """Train, register and announce version 1 and write the first trainer-state; after a crash, go on where it was.

    `rows` come in the order of time, each with a source `bootstrap-<file digest>-<row>`; `clock` gives epoch
    milliseconds; `progress` hears one sentence a step.

    Raises:
        AlreadyBootstrapped: when the pipeline has an accepted model and its trainer a state.
        UnusableRows: when no family can be trained on the rows, or the log holds rows of other origin.
    """
    reader, writer = LogReader(connections.kafka), LogWriter(connections.kafka)
    try:
        announcer = Announcer(pipeline, reader, writer, clock)
        _refuse_a_second(pipeline, reader, announcer)
        registry = Registry(connections.registry)
        registry.warm_up()
        written = _write_rows(topic_name(pipeline.name, LABELLED), rows, reader, writer)
        progress(f"{written} rows are in {topic_name(pipeline.name, LABELLED)}")
        data = _read_back(pipeline, reader)
        first = _First(pipeline, data, writer, progress)
        return first.train(Promoter(pipeline, announcer, registry))
    finally:
        reader.close()


class _First:
    """The decision that makes version 1."""

    def __init__(self, pipeline: Pipeline, data: TrainingRows, writer: LogWriter,
                 progress: Callable[[str], None]) -> None:
        self._pipeline = pipeline
        self._data = data
        self._writer = writer
        self._progress = progress
        self._decision_id = derived_id(pipeline.name, "bootstrap", data.dataset.digest)

    def train(self, promoter: Promoter) -> Summary:
        """Decision, fit, promotion, decision, state."""
        choice = _choose(self._pipeline, self._data)
        recipe = Recipe(family=choice.family, window="all", dataset=self._data.dataset,
                        seed=self._pipeline.retraining.seed)
        self._decide("trained", f"{choice.family} answers best on the last fifth of the rows", choice, recipe)
        self._progress(f"{choice.family} is fitted on {len(self._data.rows)} rows")
        promoted = promoter.promote(self._promotion(choice, recipe, fit(self._pipeline, choice.family, self._data)))
        self._decide("promoted", "the first model", choice, recipe, promoted)
        self._write_state(choice, recipe, promoted)
        self._progress(f"version {promoted.version} is announced at epoch {promoted.accepted.epoch}")
        return Summary(decision_id=self._decision_id, version=promoted.version, epoch=promoted.accepted.epoch,
                       rows=len(self._data.rows), family=choice.family, holdout=choice.holdout)

    def _promotion(self, choice: _Choice, recipe: Recipe, expert: FittedExpert) -> Promotion:
        rows = self._data.rows
        return Promotion(
            decision_id=self._decision_id, reason="bootstrap", expert=expert, recipe=recipe,
            validation=rows.part(max(0, len(rows) - PARITY_ROWS), len(rows)),
            metrics={f"holdout_{family}": loss for family, loss in choice.holdout.items()},
            replaces=NO_EPOCH, profile=reference_profile(self._pipeline, rows).encode(),
        )

    def _decide(self, verdict: str, reason: str, choice: _Choice, recipe: Recipe,
                promoted: Promoted | None = None) -> None:
        judged = {candidate.recipe.family: candidate for candidate in choice.candidates}[choice.family]
        gate = GateVerdict(rule="bootstrap", champion_loss=None, candidate_loss=judged.loss, rows=judged.rows)
        decision = TrainingDecision(
            decision_id=self._decision_id, incident_id=None, trigger="bootstrap",
            verdict="promoted" if verdict == "promoted" else "trained", reason=reason, at=recipe.dataset.last + 1,
            dataset=recipe.dataset, candidates=choice.candidates, recipe=recipe, gate=gate if promoted else None,
            version=promoted.version if promoted else None, run=promoted.run if promoted else None,
        )
        self._writer.write(topic_name(self._pipeline.name, TRAINING_DECISIONS), self._decision_id, encode(decision))

    def _write_state(self, choice: _Choice, recipe: Recipe, promoted: Promoted) -> None:
        retraining, dataset = self._pipeline.retraining, recipe.dataset
        # The first refresh is judged when the first refresh_labels new labels are in, not min_rows later.
        head_start = min(self._pipeline.gate.min_rows, retraining.refresh_labels)
        event_time = int(self._data.rows.ts.max())
        state = TrainerState(
            covered=dataset.last + 1, covered_alerts=0, labels=dataset.rows, event_time=event_time,
            loss_scale=choice.loss_scale, champion=Expert(decision_id=self._decision_id, recipe=recipe, loss=0.0,
                                                          weight=0.0),
            champion_epoch=promoted.accepted.epoch, refreshed_labels=dataset.rows - head_start, refreshed_at=event_time,
        )
        self._writer.write(topic_name(self._pipeline.name, TRAINER_STATE), self._pipeline.name, encode(state))


def _refuse_a_second(pipeline: Pipeline, reader: LogReader, announcer: Announcer) -> None:
    current = announcer.models().current
    if current is None:
        return
    if current.announcement.reason != "bootstrap" or any(reader.read(topic_name(pipeline.name, TRAINER_STATE))):
        raise AlreadyBootstrapped(
            f"pipeline '{pipeline.name}' has version {current.announcement.version} (epoch {current.epoch}) already; "
            "bootstrap trains only the first model: from here on the trainer retrains from labels")


def _write_rows(topic: str, rows: Iterable[LabelledEvent], reader: LogReader, writer: LogWriter) -> int:
    """Write what the log does not hold yet; rows of the log after this."""
    held = {decode(record.value, LabelledEvent).source for record in reader.read(topic) if record.value}
    written = len(held)
    for row in rows:
        if row.source in held:
            held.remove(row.source)
            continue
        writer.enqueue(topic, row.event_id, encode(row))
        written += 1
    if held:
        raise UnusableRows(f"topic {topic} holds {len(held)} rows that are not of this file (such as {min(held)}); "
                           "bootstrap needs an empty training log, or the file it was begun with")
    writer.confirm()
    return written


def _read_back(pipeline: Pipeline, reader: LogReader) -> TrainingRows:
    history, last = History(pipeline), -1
    for record in reader.read(topic_name(pipeline.name, LABELLED)):
        event = decode(record.value, LabelledEvent) if record.value else None
        if event is not None and history.fits(event):
            history.append(record.offset, event)
            last = record.offset
    data = history.dataset(history.first_offset(), last) if last >= 0 else None
    if data is None or len(data.rows) < MIN_ROWS:
        raise UnusableRows(f"{0 if data is None else len(data.rows)} usable rows; the first model needs at least "
                           f"{MIN_ROWS} (the label column, or the feature columns, may be misnamed)")
    return data


def _choose(pipeline: Pipeline, data: TrainingRows) -> _Choice:
    """Fit every family on the first four fifths, judge it on the last: time goes only forward."""
    rows, border = data.rows, round(len(data.rows) * (1 - HOLDOUT))
    last_fifth = rows.part(border, len(rows))
    trial = TrainingRows(dataset=data.dataset, rows=rows.part(0, border), classes=data.classes)
    holdout: dict[str, float] = {}
    problems: list[str] = []
    for family in pipeline.retraining.families:
        try:
            holdout[family] = _loss(fit(pipeline, family, trial), last_fifth)
        except UnusableRows as error:
            problems.append(f"{family}: {error}")
    if not holdout:
        raise UnusableRows(f"no family can be trained on the first {border} rows ({'; '.join(problems)})")
    regression = pipeline.task == "regression"
    best = min(holdout, key=lambda family: holdout[family])
    scale = (holdout[best] or 1.0) if regression else 1.0
    candidates = [
        Candidate(recipe=_recipe(pipeline, family, data.dataset), loss=loss / scale, rows=len(last_fifth))
        for family, loss in holdout.items()
    ]
    return _Choice(family=best, candidates=candidates, holdout=holdout, loss_scale=scale)


def _recipe(pipeline: Pipeline, family: str, dataset: Dataset) -> Recipe:
    return Recipe(family=family, window="all", dataset=dataset, seed=pipeline.retraining.seed)


def _loss(expert: FittedExpert, rows: Rows) -> float:
    """Mean log loss, or mean absolute error in the label's unit."""
    if expert.metadata.task == "regression":
        return float(np.mean(np.abs(expert.predict(rows) - np.array(rows.labels, dtype=np.float64))))
    return float(np.mean(expert.losses(rows, 1.0)))
