"""What an erasure leaves behind: decisions that can no longer be reproduced, models that saw the person, and what Kafka
still holds. No I/O."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from automl_stream.erasure.eraser import Erased
from schemas.messages import Recipe, TrainingDecision
from schemas.pipeline import Pipeline
from schemas.topics import DAY_MS, DEAD_LETTERS, EVENTS, LABELLED, LABELS, PREDICTIONS, retention_of, topic_name

_NAMED = 20


class Touched(Struct, frozen=True, kw_only=True):
    """A decision whose rows hold the person. `version`: of the model that came of it."""

    decision_id: str
    version: str | None
    first: int
    last: int


class Aftermath(Struct, frozen=True, kw_only=True):
    """What was found and what stays. `labelled_end`: offset behind the person's last row in the training log."""

    pipeline: str
    command_id: str
    erased: Erased
    decisions: list[Touched]
    labelled_end: int | None
    kept: dict[str, str]


def follow(pipeline: Pipeline, command_id: str, erased: Erased, decisions: Sequence[TrainingDecision]) -> Aftermath:
    """Of an erasure that is done."""
    offsets = erased.labelled
    touched = [Touched(decision_id=d.decision_id, version=d.version, first=recipe.dataset.first,
                       last=recipe.dataset.last)
               for d in decisions for recipe in _recipes(d)[:1] if _holds(recipe, offsets)]
    kept = {topic_name(pipeline.name, topic): f"{retention_of(pipeline, topic) / DAY_MS:g} days"
            for topic in (EVENTS, PREDICTIONS, LABELS, DEAD_LETTERS)}
    return Aftermath(pipeline=pipeline.name, command_id=command_id, erased=erased, decisions=touched, kept=kept,
                     labelled_end=max(offsets) + 1 if offsets else None)


def _recipes(decision: TrainingDecision) -> list[Recipe]:
    return [r for r in (decision.recipe, *(c.recipe for c in decision.candidates)) if r is not None]


def _holds(recipe: Recipe, offsets: Sequence[int]) -> bool:
    return any(recipe.dataset.first <= offset <= recipe.dataset.last for offset in offsets)


def describe(found: Aftermath) -> Iterator[str]:
    """Lines for a person."""
    erased, labelled = found.erased, topic_name(found.pipeline, LABELLED)
    yield (f"Erased from PostgreSQL: {erased.predictions:,} predictions, {erased.labels:,} labels, "
           f"{len(erased.labelled):,} labelled events, {erased.dead_letters:,} dead letters, {erased.refused:,} "
           f"refused. On record as command {found.command_id}.")
    yield "Kafka holds its records until their retention: " + ", ".join(
        f"{topic} {span}" for topic, span in found.kept.items()) + "."
    if found.labelled_end is not None:
        yield (f"{labelled} has no limit: to take the person out of it, delete its records before offset "
               f"{found.labelled_end} (kafka-delete-records); older rows can train no more then.")
    versions = sorted({d.version for d in found.decisions if d.version is not None})
    if found.decisions:
        yield (f"{len(found.decisions):,} decisions were taken on rows of the person and cannot be reproduced without "
               f"them: {_few([d.decision_id for d in found.decisions])}.")
    if versions:
        yield (f"Models that were fitted on them, and may show them among their background rows: versions "
               f"{_few(versions)}; `automl-stream models refresh` makes another.")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
