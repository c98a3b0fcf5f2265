"""One round of training: when it is due, what it fits."""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.messages import Candidate, TrainingDecision, TrainingRound, derived_id
from trainer import policy
from trainer.candidates import FittedExpert
from trainer.effects import Fitted, Outcome, Steps, Took
from trainer.errors import UnusableRows
from trainer.gate import Contender, heir
from trainer.incidents import settle_if_done
from trainer.recipes import Plan, plans, searched
from trainer.serving import strike
from trainer.standing import Standing


def train_if_due(standing: Standing) -> Outcome:
    """Start a round where one is due; an incident's round and a refresh at the same row are one. True where it does."""
    state, retraining = standing.state, standing.pipeline.retraining
    progress = policy.Progress(labels=state.labels, event_time=state.event_time,
                               refreshed_labels=state.refreshed_labels, refreshed_at=state.refreshed_at,
                               stretch=state.stretch)
    refresh = policy.refresh_due(progress, retraining)
    alarm = policy.incident_due(state.incident, retraining) if state.incident is not None else None
    due = alarm or refresh
    if due is None or state.paused is not None or len(state.rounds) >= policy.MAX_ROUNDS:
        return False
    if refresh is not None:
        standing.change(refreshed_labels=state.labels, refreshed_at=state.event_time)
    if alarm is not None and state.incident is not None:
        standing.change(incident=policy.after_round(state.incident, alarm.multiple))
    yield from train(standing, due)
    return True


def train(standing: Standing, due: policy.Due, ordered: TrainingDecision | None = None) -> Steps:
    """One round: the decision with its recipes, then the fits. `ordered`: the decision on the command that asks."""
    incident, history = standing.state.incident, standing.history
    incident_id = incident.incident_id if incident is not None and due.multiple else None
    dataset = history.dataset(history.first_offset(), standing.last).dataset
    decision_id = ordered.decision_id if ordered is not None else derived_id(
        standing.pipeline.name, incident_id, due.trigger, due.multiple, dataset.digest)
    planned = standing.tune(standing.pipeline, decision_id, _plans(standing, due))
    decision = replace(
        standing.decision(decision_id, "trained", f"{len(planned)} candidates are fitted{_late(standing)}",
                          trigger=due.trigger, incident_id=incident_id),
        dataset=dataset, candidates=[Candidate(recipe=p.recipe, loss=None, rows=0) for p in planned],
        by=ordered.by if ordered is not None else None)
    yield decision
    fitted, problems = _fit_candidates(standing, decision_id, planned)
    took = yield Fitted()
    assert isinstance(took, Took)  # noqa: S101 - what Fitted is answered by
    standing.change(stretch=policy.stretch(took.seconds, standing.pipeline.retraining))
    trained = TrainingRound(decision_id=decision_id, trigger=due.trigger, dataset=dataset, incident_id=incident_id,
                            multiple=due.multiple)
    if not fitted:
        reason = "; ".join(problems) or "no window has enough rows"
        yield replace(decision, verdict="failed", reason=reason)
        yield from settle_if_done(standing, trained, promoted=False)
        yield from strike(standing, reason)
        return
    for contender, expert in fitted:
        standing.pool.add(contender, expert)
    standing.change(rounds=[*standing.state.rounds, trained])
    standing.prune()


def _late(standing: Standing) -> str:
    stretch = standing.state.stretch
    return "" if stretch == 1 else f"; fits took longer than fit_seconds: the refresh waited {stretch} times as long"


def _plans(standing: Standing, due: policy.Due) -> list[Plan]:
    champion = standing.pool.champion
    relatives = [contender.recipe for contender in (champion, *standing.pool.contenders)]
    planned = plans(standing.pipeline, standing.history, standing.last, standing.state.incident, relatives)
    return searched(planned, standing.pipeline, None if due.multiple else champion.kind)


def _fit_candidates(standing: Standing, decision_id: str,
                    planned: Sequence[Plan]) -> tuple[list[tuple[Contender, FittedExpert]], list[str]]:
    """Candidates with their models, and why some could not be fitted."""
    fitted: list[tuple[Contender, FittedExpert]] = []
    problems: list[str] = []
    for plan in planned:
        contender = heir(decision_id, plan.recipe, [standing.pool.champion, *standing.pool.contenders])
        try:
            fitted.append((contender, standing.fit(standing.pipeline, plan.recipe, plan.data)))
        except UnusableRows as error:
            problems.append(f"{plan.recipe.family} on {plan.recipe.window}: {error}")
    return fitted, problems
