"""What the trainer stands on: the state, the rows, the experts. The steps of a session share it and change it."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from schemas.messages import Recipe, TrainerState, TrainingDecision, Verdict, derived_id
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert
from trainer.effects import Refused
from trainer.gate import Contender
from trainer.guards import Golden
from trainer.history import History, TrainingRows
from trainer.pool import Key, Pool
from trainer.recipes import Plan

Fit: TypeAlias = Callable[[Pipeline, Recipe, TrainingRows], FittedExpert]
Tune: TypeAlias = Callable[[Pipeline, str, Sequence[Plan]], list[Plan]]


class Standing:
    """`state` holds everything but the records of experts, which the pool keeps; `golden`: the trusted rows."""

    def __init__(self, pipeline: Pipeline, state: TrainerState, history: History,
                 experts: dict[Key, FittedExpert], fitting: Fit, golden: Golden | None, tuning: Tune) -> None:
        self.pipeline = pipeline
        self.state = state
        self.history = history
        self.pool = Pool(state.champion, state.experts, experts, pipeline.retraining.half_life)
        self.fit = fitting
        self.golden = golden
        self.tune = tuning

    def snapshot(self) -> TrainerState:
        """The state after everything up to now."""
        return replace(self.state, champion=self.pool.champion.freeze(),
                       experts=[c.freeze() for c in self.pool.contenders])

    def change(self, **fields: object) -> None:
        """Put fields of the state."""
        self.state = replace(self.state, **fields)

    @property
    def last(self) -> int:
        """Offset of the newest row that was taken in."""
        return self.state.covered - 1

    @property
    def level(self) -> float:
        """Level of one contender's test: all of a round together keep to alpha."""
        retraining = self.pipeline.retraining
        kinds = len(retraining.families) * (len(retraining.windows) + 1)  # and `onset`
        return self.pipeline.gate.alpha / max(retraining.pool, kinds)

    @property
    def predecessor(self) -> Contender | None:
        """The champion before, while the champion is on probation."""
        state = self.state
        promoted = state.promoted_labels
        if promoted is None or not state.former or state.labels - promoted > self.pipeline.gate.probation_rows:
            return None
        return self.pool.find(lambda c: c.version == state.former[-1])

    @property
    def canary(self) -> Contender | None:
        """The expert under trial as a canary."""
        trial = self.state.trial
        return None if trial is None else self.pool.find(
            lambda c: c.key == (trial.decision_id, trial.family, trial.window))

    def adopt(self, refused: Refused) -> None:
        """Stand on what serves where an announcement that no trainer made took the slot; it ends a trial."""
        if refused.epoch is not None:
            self.change(champion_epoch=refused.epoch, canary_epoch=refused.latest, trial=None)

    def prune(self) -> None:
        """Let go of experts that nothing waits for."""
        rounds = {r.decision_id for r in self.state.rounds}
        protected = [c.key for c in (self.predecessor, self.canary) if c is not None]
        self.pool.prune(lambda c: c.decision_id in rounds or c.key in protected, self.pipeline.retraining.pool,
                        incident=self.state.incident is not None)

    def decision_id(self, *about: object) -> str:
        """Id of a decision that is taken after the rows up to now."""
        return derived_id(self.pipeline.name, *about, self.state.covered)

    def decision(self, decision_id: str, verdict: Verdict, reason: str, *, trigger: str,
                 incident_id: str | None = None) -> TrainingDecision:
        """A verdict that is taken after the rows up to now."""
        return TrainingDecision(decision_id=decision_id, trigger=trigger, verdict=verdict, reason=reason,
                                incident_id=incident_id, at=self.state.covered)
