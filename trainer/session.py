"""The trainer as a state machine over alerts and labelled rows: no I/O, no clock.

`alert` and `rows` are generators: they yield what shall happen in the world, in order, and are sent the answer. The
same state and the same log give the same effects, however the rows are cut into batches.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Literal, TypeAlias

from msgspec.structs import replace

from schemas.messages import (
    Candidate,
    DriftAlert,
    LabelledEvent,
    Recipe,
    TrainerState,
    TrainingDecision,
    TrainingRound,
    derived_id,
)
from schemas.pipeline import Pipeline
from trainer import policy
from trainer.candidates import FittedExpert, fit
from trainer.effects import Announced, Answer, Checkpoint, Effect, Promote, Refused, RenewProfile
from trainer.errors import UnusableRows
from trainer.gate import Contender, heir, judge
from trainer.history import History, TrainingRows
from trainer.pool import Key, Pool
from trainer.recipes import Plan, plans, searched
from trainer.tuning import Tuner

Fit: TypeAlias = Callable[[Pipeline, Recipe, TrainingRows], FittedExpert]
Tune: TypeAlias = Callable[[Pipeline, str, Sequence[Plan]], list[Plan]]
Steps: TypeAlias = Generator[Effect, Answer, None]

PARITY_ROWS = 2_000


class Session:
    """Everything the trainer knows. `experts`: the fitted model of the champion and of every contender, by its key."""

    def __init__(self, pipeline: Pipeline, state: TrainerState, history: History,
                 experts: dict[Key, FittedExpert], fitting: Fit = fit, tuning: Tune | None = None) -> None:
        self._pipeline = pipeline
        self._state = state  # all but the records of experts, which the pool keeps
        self._history = history
        self._pool = Pool(state.champion, state.experts, experts, pipeline.retraining.half_life)
        self._fit = fitting
        self._tune = tuning or Tuner()

    def snapshot(self) -> TrainerState:
        """The state after everything up to now."""
        return replace(self._state, champion=self._pool.champion.freeze(),
                       experts=[c.freeze() for c in self._pool.contenders])

    def alert(self, offset: int, alert: DriftAlert) -> Steps:
        """Take the alert at `offset` of drift-alerts in; it applies before the next row. One that a restarted monitor
        said again counts once."""
        if alert.alert_id == self._state.last_alert:
            self._change(covered_alerts=offset + 1)
            yield Checkpoint(state=self.snapshot())
            return
        met = policy.meet(alert, self._state.incident, self._state.last_incident, self._pipeline.retraining)
        incident = met.incident
        verdict: Literal["suppressed", "deferred"] = "suppressed"
        if met.decided == "opened" and incident is not None:
            labels = self._history.count_since(incident.onset, self._state.covered - 1)
            incident = replace(incident, labels=labels)
            verdict = "deferred"
        self._change(incident=incident, covered_alerts=offset + 1, last_alert=alert.alert_id)
        missing = policy.missing_labels(incident, self._pipeline.retraining) if incident is not None else 0
        if verdict == "suppressed" or missing:
            reason = met.reason if verdict == "suppressed" else f"{missing} labels since the onset are missing"
            yield self._decision(derived_id("alert", alert.alert_id), verdict, reason, trigger=f"alert: {alert.kind}",
                                 incident_id=incident.incident_id if incident is not None else None)
        yield from self._train_if_due(self._state.covered - 1)
        yield Checkpoint(state=self.snapshot())

    def rows(self, records: Sequence[tuple[int, LabelledEvent]], end: int) -> Steps:
        """Take rows of `labelled` in, each with its offset; afterwards everything before offset `end` is covered."""
        fitting = [(offset, event) for offset, event in records if self._history.fits(event)]
        self._pool.face(self._history.rows_of([event for _, event in fitting]))
        for index, (offset, event) in enumerate(fitting):
            fresh = self._history.append(offset, event)
            self._change(covered=offset + 1)
            if fresh:
                self._count(index, event)
                yield from self._judge_ripe(offset)
                yield from self._train_if_due(offset)
        self._change(covered=end)

    def _count(self, index: int, event: LabelledEvent) -> None:
        """One fresh row: everyone is scored on it before anyone is fitted on it."""
        incident = self._state.incident
        if incident is not None and event.ts >= incident.onset:
            incident = replace(incident, labels=incident.labels + 1)
        self._change(labels=self._state.labels + 1, event_time=max(self._state.event_time, event.ts),
                     incident=incident)
        self._pool.score(index, self._state.loss_scale)

    def _judge_ripe(self, at: int) -> Steps:
        min_rows = self._pipeline.gate.min_rows
        ripe = {c.decision_id for c in self._pool.contenders if c.rows >= min_rows}
        for judged in [r for r in self._state.rounds if r.decision_id in ripe]:
            yield from self._judge(judged, at)
            self._prune()
            yield Checkpoint(state=self.snapshot())

    def _judge(self, judged: TrainingRound, at: int) -> Steps:
        """The gate: candidates of one round against the champion."""
        self._change(rounds=[r for r in self._state.rounds if r is not judged])
        candidates = [c for c in self._pool.contenders if c.decision_id == judged.decision_id]
        won = judge(self._pool.champion, candidates, self._pipeline.gate.min_rows)
        decision = self._decision(judged.decision_id, "rejected", "no candidate is better than the champion",
                                  trigger=judged.trigger, incident_id=judged.incident_id)
        decision = replace(decision, dataset=judged.dataset, at=at + 1, candidates=[
            Candidate(recipe=c.recipe, loss=c.discounted, rows=c.rows) for c in candidates])
        promoted = False
        if won is not None:
            winner, verdict = won
            answer = yield self._promotion(judged, winner)
            decision = replace(decision, recipe=winner.recipe, gate=verdict)
            if isinstance(answer, Announced):
                promoted = True
                self._pool.crown(winner)
                self._change(champion_epoch=answer.epoch)
                decision = replace(decision, verdict="promoted", reason=f"{verdict.rule} on {verdict.rows} fresh rows",
                                   version=answer.version, run=answer.run)
            elif isinstance(answer, Refused):
                decision = replace(decision, verdict="failed", reason=answer.reason)
        yield decision
        yield from self._settle_if_done(judged, at, promoted=promoted)

    def _promotion(self, judged: TrainingRound, winner: Contender) -> Promote:
        newest = self._history.first_of_newest(PARITY_ROWS, self._state.covered) or self._history.first_offset()
        champion = self._pool.champion.discounted or 0.0
        return Promote(
            decision_id=judged.decision_id, reason=judged.trigger, expert=self._pool.expert(winner),
            recipe=winner.recipe, validation=self._history.dataset(newest, self._state.covered).rows,
            metrics={"discounted_loss": winner.discounted or 0.0, "champion_loss": champion},
            answered=self._history.fresh(winner.recipe.dataset.last + 1, self._state.covered),
            replaces=self._state.champion_epoch,
        )

    def _settle_if_done(self, judged: TrainingRound, at: int, *, promoted: bool) -> Steps:
        """End the incident where this verdict ends it: its rows become the reference."""
        incident = self._state.incident
        reason = policy.outcome(incident, judged, promoted=promoted) if incident is not None else None
        if incident is None:
            return
        if reason is None:
            self._change(incident=replace(incident, promotions=incident.promotions + promoted))
            return
        decision_id = derived_id("settled", incident.incident_id)
        first = self._history.first_since(incident.onset) or 0
        since = self._history.dataset(first, at)
        answered = self._history.fresh(max(first, self._pool.champion.recipe.dataset.last + 1), at)
        answer = yield RenewProfile(decision_id=decision_id, rows=since.rows, answered=answered,
                                    replaces=self._state.champion_epoch)
        decision = self._decision(decision_id, "settled", reason, trigger=judged.trigger,
                                  incident_id=incident.incident_id)
        yield replace(decision, dataset=since.dataset)
        epoch = answer.epoch if isinstance(answer, Announced) else self._state.champion_epoch
        self._change(incident=None, last_incident=incident.opened, champion_epoch=epoch)

    def _train_if_due(self, at: int) -> Steps:
        """Start a round where one is due; an incident's round and a refresh at the same row are one."""
        state, retraining = self._state, self._pipeline.retraining
        progress = policy.Progress(labels=state.labels, event_time=state.event_time,
                                   refreshed_labels=state.refreshed_labels, refreshed_at=state.refreshed_at)
        refresh = policy.refresh_due(progress, retraining)
        alarm = policy.incident_due(state.incident, retraining) if state.incident is not None else None
        due = alarm or refresh
        if due is None or len(state.rounds) >= policy.MAX_ROUNDS:
            return
        if refresh is not None:
            self._change(refreshed_labels=state.labels, refreshed_at=state.event_time)
        if alarm is not None and state.incident is not None:
            self._change(incident=policy.after_round(state.incident, alarm.multiple))
        yield from self._train(due, at)

    def _train(self, due: policy.Due, at: int) -> Steps:
        """One round: the decision with its recipes, then the fits."""
        incident_id = self._state.incident.incident_id if self._state.incident is not None and due.multiple else None
        dataset = self._history.dataset(self._history.first_offset(), at).dataset
        decision_id = derived_id(self._pipeline.name, incident_id, due.trigger, due.multiple, dataset.digest)
        planned = self._tune(self._pipeline, decision_id, self._plans(due, at))
        decision = replace(
            self._decision(decision_id, "trained", f"{len(planned)} candidates are fitted", trigger=due.trigger,
                           incident_id=incident_id),
            dataset=dataset, at=at + 1, candidates=[Candidate(recipe=p.recipe, loss=None, rows=0) for p in planned])
        yield decision
        fitted, problems = self._fit_candidates(decision_id, planned)
        trained = TrainingRound(decision_id=decision_id, trigger=due.trigger, dataset=dataset, incident_id=incident_id,
                                multiple=due.multiple)
        if not fitted:
            yield replace(decision, verdict="failed", reason="; ".join(problems) or "no window has enough rows")
            yield from self._settle_if_done(trained, at, promoted=False)
            return
        for contender, expert in fitted:
            self._pool.add(contender, expert)
        self._change(rounds=[*self._state.rounds, trained])
        self._prune()

    def _plans(self, due: policy.Due, at: int) -> list[Plan]:
        relatives = [contender.recipe for contender in (self._pool.champion, *self._pool.contenders)]
        planned = plans(self._pipeline, self._history, at, self._state.incident, relatives)
        return searched(planned, self._pipeline, None if due.multiple else self._pool.champion.kind)

    def _fit_candidates(self, decision_id: str,
                        planned: Sequence[Plan]) -> tuple[list[tuple[Contender, FittedExpert]], list[str]]:
        """Candidates with their models, and why some could not be fitted."""
        fitted: list[tuple[Contender, FittedExpert]] = []
        problems: list[str] = []
        for plan in planned:
            contender = heir(decision_id, plan.recipe, [self._pool.champion, *self._pool.contenders])
            try:
                fitted.append((contender, self._fit(self._pipeline, plan.recipe, plan.data)))
            except UnusableRows as error:
                problems.append(f"{plan.recipe.family} on {plan.recipe.window}: {error}")
        return fitted, problems

    def _prune(self) -> None:
        self._pool.prune({r.decision_id for r in self._state.rounds}, incident=self._state.incident is not None)

    def _decision(self, decision_id: str, verdict: Literal["suppressed", "deferred", "trained", "rejected", "settled"],
                  reason: str, *, trigger: str, incident_id: str | None) -> TrainingDecision:
        return TrainingDecision(decision_id=decision_id, trigger=trigger, verdict=verdict, reason=reason,
                                incident_id=incident_id, at=self._state.covered)

    def _change(self, **fields: object) -> None:
        self._state = replace(self._state, **fields)
