"""What the session asks of the world, and what the world answers."""

from dataclasses import dataclass
from typing import TypeAlias

from schemas.messages import Recipe, TrainerState, TrainingDecision
from trainer.candidates import FittedExpert
from trainer.history import Rows


@dataclass(frozen=True, kw_only=True)
class Promote:
    """Announce an expert that passed the gate; answered by Announced or Refused.

    `answered`: fresh rows that came after its fit, whose answers become the reference of its predictions; or that
    reference.
    """

    decision_id: str
    reason: str
    expert: FittedExpert
    recipe: Recipe
    validation: Rows
    metrics: dict[str, float]
    answered: Rows | bytes | None
    replaces: int


@dataclass(frozen=True, kw_only=True)
class RenewProfile:
    """Announce the champion again with the reference profile of `rows`; answered by Announced.

    `answered`: those of them that came after its fit, fresh, for the reference of its predictions.
    """

    decision_id: str
    rows: Rows
    answered: Rows
    replaces: int


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after everything that was asked before; write it before going on."""

    state: TrainerState


@dataclass(frozen=True, kw_only=True)
class Announced:
    """The announcement was accepted: its epoch, and the registry's version and run."""

    epoch: int
    version: str
    run: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The expert cannot serve; why. `epoch`: what serves, where an announcement that no trainer made took the slot."""

    reason: str
    epoch: int | None = None


Effect: TypeAlias = TrainingDecision | Promote | RenewProfile | Checkpoint
Answer: TypeAlias = Announced | Refused | None
