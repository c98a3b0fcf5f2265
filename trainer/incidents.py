"""From an alert to an incident, and to its end."""

from typing import Literal

from msgspec.structs import replace

from schemas.messages import DriftAlert, Incident, PastIncident, TrainingRound, derived_id
from trainer import policy
from trainer.effects import Announced, RenewProfile, Steps
from trainer.standing import Standing


def take_alert(standing: Standing, alert: DriftAlert) -> Steps:
    """The alert opens an incident, joins the open one, or does nothing; where no training follows at once, a decision
    says why."""
    state, retraining = standing.state, standing.pipeline.retraining
    standing.change(last_alert=alert.alert_id)
    if state.paused is not None:
        yield standing.decision(derived_id("alert", alert.alert_id), "suppressed", f"paused: {state.paused}",
                                trigger=f"alert: {alert.kind}")
        return
    met = policy.meet(alert, state.incident, state.last_incident, retraining)
    incident = met.incident
    verdict: Literal["suppressed", "deferred"] = "suppressed"
    if met.decided == "opened" and incident is not None:
        labels = standing.history.count_since(incident.onset, standing.last)
        incident = replace(incident, labels=labels)
        verdict = "deferred"
    standing.change(incident=incident)
    missing = policy.missing_labels(incident, retraining) if incident is not None else 0
    if verdict == "suppressed" or missing:
        reason = met.reason if verdict == "suppressed" else f"{missing} labels since the onset are missing"
        yield standing.decision(derived_id("alert", alert.alert_id), verdict, reason, trigger=f"alert: {alert.kind}",
                                incident_id=incident.incident_id if incident is not None else None)


def settle_if_done(standing: Standing, judged: TrainingRound, *, promoted: bool) -> Steps:
    """End the incident where the verdict on this round ends it."""
    incident = standing.state.incident
    if incident is None:
        return
    reason = policy.outcome(incident, judged, promoted=promoted)
    if reason is None:
        standing.change(incident=replace(incident, promotions=incident.promotions + promoted))
        return
    yield from settle(standing, incident, reason, trigger=judged.trigger)


def settle_if_over(standing: Standing, *, promoted: bool) -> Steps:
    """End the incident whose last round was judged while a canary was tried; `promoted`: whether that one serves."""
    incident = standing.state.incident
    if incident is None:
        return
    incident = replace(incident, promotions=incident.promotions + promoted)
    standing.change(incident=incident)
    if policy.is_over(incident, standing.state.rounds):
        yield from settle(standing, incident, policy.last_word(incident.promotions), trigger="canary")


def settle(standing: Standing, incident: Incident, reason: str, *, trigger: str) -> Steps:
    """End the incident: its rows become the reference, where any counts."""
    history, last, state = standing.history, standing.last, standing.state
    decision_id = derived_id("settled", incident.incident_id)
    first = history.first_since(incident.onset) or 0
    since = history.dataset(first, last)
    past = PastIncident(opened=incident.opened, settled=state.event_time)
    decision = standing.decision(decision_id, "settled", reason, trigger=trigger, incident_id=incident.incident_id)
    if not since.dataset.rows:
        yield replace(decision, reason=f"{reason}; no row since its onset counts: the reference stays")
        standing.change(incident=None, last_incident=past)
        return
    answered = history.fresh(max(first, standing.pool.champion.recipe.dataset.last + 1), last)
    answer = yield RenewProfile(decision_id=decision_id, rows=since.rows, answered=answered,
                                replaces=state.champion_epoch)
    yield replace(decision, dataset=since.dataset)
    epoch = answer.epoch if isinstance(answer, Announced) else state.champion_epoch
    standing.change(incident=None, last_incident=past, champion_epoch=epoch)
    canary = standing.canary
    if canary is not None:  # the champion's announcement ended the trial
        standing.change(trial=None)
        yield replace(standing.decision(standing.decision_id("trial", decision_id), "withdrawn",
                                        "a new reference profile ends the trial", trigger="canary"),
                      recipe=canary.recipe, version=canary.version)
