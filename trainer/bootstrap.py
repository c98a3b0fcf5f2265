"""Version 1: a labelled file's rows go to the training log, and the first model is trained from there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import LabelledEvent
from schemas.model_log import NO_EPOCH
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, TRAINER_STATE, TRAINING_DECISIONS, topic_name
from trainer.announce import Announcer
from trainer.candidates import fit
from trainer.environment import environment
from trainer.errors import AlreadyBootstrapped, UnusableRows
from trainer.first_model import FirstModel, choose, first_decision, first_state
from trainer.history import BINARY_CLASSES, History, TrainingRows
from trainer.kafka_log import LogReader, LogWriter
from trainer.promotion import Promoted, Promoter, Promotion
from trainer.reference import reference_profile
from trainer.registry import Registry
from trainer.settings import RegistrySettings

MIN_ROWS = 50
PARITY_ROWS = 2_000


@dataclass(frozen=True, kw_only=True)
class Connections:
    """Where bootstrap reads and writes: Kafka, and MLflow."""

    kafka: KafkaAccess
    registry: RegistrySettings


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What bootstrap made. `holdout`: loss by family on the last fifth of the rows, as in `FirstModel`."""

    decision_id: str
    version: str
    epoch: int
    rows: int
    family: str
    holdout: dict[str, float]


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
        held = _write_rows(topic_name(pipeline.name, LABELLED), rows, reader, writer)
        progress(f"{held} rows are in {topic_name(pipeline.name, LABELLED)}")
        data = _read_back(pipeline, reader)
        first = choose(pipeline, data)
        decision = first_decision(first)
        writer.write(topic_name(pipeline.name, TRAINING_DECISIONS), decision.decision_id, encode(decision))
        progress(f"{first.recipe.family} answers best on the last fifth and is fitted on all {len(data.rows)} rows")
        promoter = Promoter(pipeline, announcer, Registry(connections.registry))
        promoted = promoter.promote(_promotion(pipeline, data, first))
        decision = replace(decision, verdict="promoted", reason="the first model", version=promoted.version,
                           run=promoted.run, environment=environment(pipeline))
        writer.write(topic_name(pipeline.name, TRAINING_DECISIONS), decision.decision_id, encode(decision))
        state = first_state(pipeline, data, first, promoted.accepted.epoch, promoted.version)
        writer.write(topic_name(pipeline.name, TRAINER_STATE), pipeline.name, encode(state))
        progress(f"version {promoted.version} is announced")
        return _summary(first, promoted, len(data.rows))
    finally:
        reader.close()


def _refuse_a_second(pipeline: Pipeline, reader: LogReader, announcer: Announcer) -> None:
    current = announcer.models().current
    if current is None:
        return
    if current.announcement.reason != "bootstrap" or any(reader.read(topic_name(pipeline.name, TRAINER_STATE))):
        raise AlreadyBootstrapped(
            f"pipeline '{pipeline.name}' has version {current.announcement.version} (epoch {current.epoch}) already; "
            "bootstrap trains only the first model: from here on the trainer retrains from labels")


def _write_rows(topic: str, rows: Iterable[LabelledEvent], reader: LogReader, writer: LogWriter) -> int:
    """Write what the log does not hold yet; number of rows in the log after this."""
    held = {decode(record.value, LabelledEvent).source for record in reader.read(topic) if record.value}
    written = len(held)
    for row in rows:
        if row.source in held:
            held.remove(row.source)
            continue
        writer.enqueue(topic, row.event_id, encode(row))
        written += 1
    writer.confirm()
    if held:
        raise UnusableRows(f"topic {topic} holds {len(held)} rows that are not of this file (such as {min(held)}); "
                           "bootstrap needs an empty training log, or the file it was begun with")
    return written


def _read_back(pipeline: Pipeline, reader: LogReader) -> TrainingRows:
    history, last = History(pipeline), -1
    classes: set[str] = set()
    for record in reader.read(topic_name(pipeline.name, LABELLED)):
        event = decode(record.value, LabelledEvent) if record.value else None
        if event is not None and pipeline.task == "binary":
            classes.add(str(event.label))
        if event is not None and history.fits(event):
            history.append(record.offset, event)
            last = record.offset
    if len(classes) > BINARY_CLASSES:
        raise UnusableRows(f"the label has {len(classes)} classes ({', '.join(sorted(classes)[:5])}, ...), pipeline "
                           f"'{pipeline.name}' is binary; change key 'pipeline.task' to multiclass, or the label")
    data = history.dataset(history.first_offset(), last) if last >= 0 else None
    if data is None or len(data.rows) < MIN_ROWS:
        raise UnusableRows(f"{0 if data is None else len(data.rows)} usable rows; the first model needs at least "
                           f"{MIN_ROWS} (the label column, or the feature columns, may be misnamed)")
    return data


def _promotion(pipeline: Pipeline, data: TrainingRows, first: FirstModel) -> Promotion:
    rows = data.rows
    return Promotion(
        decision_id=first.decision_id, reason="bootstrap", expert=fit(pipeline, first.recipe, data),
        recipe=first.recipe, validation=rows.part(max(0, len(rows) - PARITY_ROWS), len(rows)),
        metrics={f"holdout_{family}": loss for family, loss in first.holdout.items()},
        replaces=NO_EPOCH, profile=reference_profile(pipeline, rows, first.losses).encode(),
        answered=first.predictions, registered=first.decision_id,
    )


def _summary(first: FirstModel, promoted: Promoted, rows: int) -> Summary:
    return Summary(decision_id=first.decision_id, version=promoted.version, epoch=promoted.accepted.epoch, rows=rows,
                   family=first.recipe.family, holdout=first.holdout)
