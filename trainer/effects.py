"""What the session asks of the world, and what the world answers."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from schemas.messages import Recipe, TrainerState, TrainingDecision
from trainer.candidates import FittedExpert
from trainer.history import Rows


@dataclass(frozen=True, kw_only=True)
class Promote:
    """Announce an expert; answered by Announced or Refused.

    `answered`: fresh rows that came after its fit, whose answers become the reference of its predictions; or that
    reference. `registered`: the decision that it is registered under, or shall be. `share`: of the entities that it
    shall serve as a canary; 0: it is the champion.
    """

    decision_id: str
    reason: str
    expert: FittedExpert
    recipe: Recipe
    validation: Rows
    metrics: dict[str, float]
    answered: Rows | bytes | None
    replaces: int
    registered: str
    share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Withdraw:
    """Announce that the canary of epoch `replaces` ends; answered by Announced or Refused."""

    decision_id: str
    reason: str
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
class Recall:
    """Find the decision that `named` means: by the version that it gave the registry, or, of a candidate that awaits
    an operator's word, by its id; answered by it, or None."""

    named: str


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The candidates of a round are fitted; answered by Took."""


@dataclass(frozen=True, kw_only=True)
class Took:
    """Seconds of all fits of the round."""

    seconds: float


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
    """The expert cannot serve; why. `epoch`: of the champion, `latest`: of any slot's newest announcement, where one
    that no trainer made took the slot."""

    reason: str
    epoch: int | None = None
    latest: int = -1


Effect: TypeAlias = TrainingDecision | Promote | Withdraw | RenewProfile | Recall | Fitted | Checkpoint
Answer: TypeAlias = Announced | Refused | Took | TrainingDecision | None
Steps: TypeAlias = Generator[Effect, Answer, None]
Outcome: TypeAlias = Generator[Effect, Answer, bool]


def recalled(decisions: list[TrainingDecision], named: str) -> TrainingDecision | None:
    """The decision that `Recall` means, of all that were written, oldest first."""
    def meant(decision: TrainingDecision) -> bool:
        awaits = decision.verdict == "deferred" and decision.decision_id == named
        return decision.recipe is not None and (decision.version == named or awaits)
    return next(filter(meant, decisions), None)  # the first: a restarted trainer finds the same one
