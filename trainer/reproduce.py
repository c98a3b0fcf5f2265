"""A promoted model made again from the log: the same rows, the same recipe, the same bytes, or what differs."""

import hashlib
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from schemas.codec import decode
from schemas.messages import LabelledEvent, Recipe, TrainingDecision
from schemas.model_log import ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, MODEL_UPDATES, TRAINING_DECISIONS, topic_name
from trainer.candidates import fit
from trainer.environment import environment
from trainer.errors import UnknownDecision, UnusableRows
from trainer.history import History, TrainingRows
from trainer.kafka_log import LogReader
from trainer.onnx_export import export

SHOWN = 10  # decisions in a message


class Difference(Struct, frozen=True, kw_only=True):
    """What is not as it was: `rows`, `recipe`, `bytes`, or, without consequence by itself, one of the environment."""

    what: str
    recorded: str
    found: str


class Reproduction(Struct, frozen=True, kw_only=True):
    """What came of it. `digest`: SHA-256 of the ONNX file, as announced; `environment`: differences that need not
    matter; where something else differs, they may be why."""

    decision_id: str
    version: str
    recipe: Recipe
    digest: str
    identical: bool
    differences: list[Difference]
    environment: list[Difference]


def reproduce(pipeline: Pipeline, decision_id: str, reader: LogReader,
              progress: Callable[[str], None]) -> Reproduction:
    """Read the decision's rows again, fit its recipe, and compare with what was announced.

    `progress` hears one sentence a step.

    Raises:
        UnknownDecision: when there is no such decision, or it announced no model.
        KafkaUnavailable: when Kafka does not answer.
    """
    decisions = [decode(record.value, TrainingDecision)
                 for record in reader.read(topic_name(pipeline.name, TRAINING_DECISIONS)) if record.value is not None]
    decision, recipe = _announcing(decisions, decision_id, pipeline.name)
    digest = _announced(pipeline, decision_id, reader)
    progress(f"reading offsets {recipe.dataset.first} to {recipe.dataset.last} of "
             f"{topic_name(pipeline.name, LABELLED)} again")
    data = _read_again(pipeline, recipe, reader)
    differences = [*_of_rows(recipe, data), *_of_recipe(recipe, decisions, decision_id)]
    if data is not None and data.dataset == recipe.dataset:
        progress(f"fitting {recipe.family} on {len(data.rows)} rows again")
        differences += _of_bytes(pipeline, recipe, data, digest)
    return Reproduction(
        decision_id=decision_id, version=decision.version or "", recipe=recipe, digest=digest,
        identical=not differences, differences=differences,
        environment=_of_environment(decision.environment, environment(pipeline)))


def _announcing(decisions: Sequence[TrainingDecision], decision_id: str,
                pipeline: str) -> tuple[TrainingDecision, Recipe]:
    """The decision that announced a version, and of which recipe."""
    announcing = [(d, d.recipe) for d in decisions if d.version is not None and d.recipe is not None]
    for decision, recipe in announcing:
        if decision.decision_id == decision_id:
            return decision, recipe
    verdicts = [d.verdict for d in decisions if d.decision_id == decision_id]
    models = [decision.decision_id for decision, _ in announcing]
    found = f"decision {decision_id} is '{verdicts[-1]}' and announced no model" if verdicts else (
        f"pipeline '{pipeline}' has no decision {decision_id}")
    newest = f"the newest: {', '.join(models[: -SHOWN - 1 : -1])}" if models else "bootstrap announces the first"
    raise UnknownDecision(f"{found}; {len(models)} decisions announced models, {newest}")


def _announced(pipeline: Pipeline, decision_id: str, reader: LogReader) -> str:
    """Digest of the ONNX file that the decision announced."""
    log, topic = ModelLog(), topic_name(pipeline.name, MODEL_UPDATES)
    for record in reader.read(topic):
        log.read(record.offset, record.value)
    for accepted in (*log.accepted, *log.canaries):
        if accepted.announcement.decision_id == decision_id:
            return accepted.announcement.model.digest
    raise UnknownDecision(f"decision {decision_id} is on record as promoted, but {topic} has no accepted announcement "
                          "of it: there is nothing to compare with")


def _read_again(pipeline: Pipeline, recipe: Recipe, reader: LogReader) -> TrainingRows | None:
    """The recipe's rows as the log has them now; None where it has none of these offsets. From the log's beginning: a
    revision takes the place of an older row, and the classes are those that were ever shown."""
    history = History(pipeline)
    empty = True
    for record in reader.read(topic_name(pipeline.name, LABELLED), 0, recipe.dataset.last + 1):
        event = decode(record.value, LabelledEvent) if record.value is not None else None
        if event is not None and history.fits(event):
            history.append(record.offset, event)
            empty = False
    return None if empty else history.dataset(recipe.dataset.first, recipe.dataset.last)


def _of_rows(recipe: Recipe, data: TrainingRows | None) -> Iterable[Difference]:
    if data is None or data.dataset != recipe.dataset:
        found = "none" if data is None else f"{data.dataset.rows} rows, digest {data.dataset.digest}"
        yield Difference(what="rows", recorded=f"{recipe.dataset.rows} rows, digest {recipe.dataset.digest}",
                         found=found)


def _of_recipe(recipe: Recipe, decisions: Sequence[TrainingDecision], decision_id: str) -> Iterable[Difference]:
    """What is promoted must be one of the candidates that were named before the fit."""
    named = [c.recipe for d in decisions if d.decision_id == decision_id and d.verdict == "trained"
             for c in d.candidates]
    if named and recipe not in named:
        same = [r for r in named if (r.family, r.window) == (recipe.family, recipe.window)]
        yield Difference(what="recipe", recorded="; ".join(map(describe, same or named)), found=describe(recipe))


def _of_bytes(pipeline: Pipeline, recipe: Recipe, data: TrainingRows, digest: str) -> Iterable[Difference]:
    try:
        found = hashlib.sha256(export(fit(pipeline, recipe, data))).hexdigest()
    except UnusableRows as error:
        found = f"none: {error}"
    if found != digest:
        yield Difference(what="bytes", recorded=digest, found=found)


def _of_environment(recorded: dict[str, str], now: dict[str, str]) -> list[Difference]:
    return [Difference(what=name, recorded=recorded[name], found=now.get(name, "nothing"))
            for name in recorded if recorded[name] != now.get(name)]


def describe(recipe: Recipe) -> str:
    """A recipe in a line."""
    chosen = "".join(f", {name} {value}" for name, value in recipe.parameters.items())
    return (f"{recipe.family} on {recipe.window}, offsets {recipe.dataset.first} to {recipe.dataset.last}, "
            f"seed {recipe.seed}{chosen}")
