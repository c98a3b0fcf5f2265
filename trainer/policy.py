"""When to train: incidents, cooldown, label progress, refreshes. Pure; all times are event time.

An alert opens an incident or joins the open one. Inside it a round of training is due when the labels since the onset
reach min_new_labels x 1, 2, 4, 8: early models on few rows help at once, later ones replace them. It settles when a
larger window no longer helps, at the latest with the last round. A refresh needs no alert: refresh_labels new labels
and refresh_interval of event time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from msgspec.structs import replace

from schemas.messages import DriftAlert, Incident, PastIncident, TrainingRound, derived_id
from schemas.pipeline import Retraining

MAX_MULTIPLE = 8
MAX_ROUNDS = 8  # under judgement at the same time


@dataclass(frozen=True, kw_only=True)
class AlertVerdict:
    """What an alert does: the incident that stands afterwards, and whether this alert opened it."""

    incident: Incident | None
    decided: Literal["opened", "joined", "suppressed"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Due:
    """A round of training that is due. `multiple` 0: a refresh."""

    trigger: str
    multiple: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the log has come: rows that counted, event time, and both at the last refresh; `stretch`: times that the
    next one waits."""

    labels: int
    event_time: int
    refreshed_labels: int
    refreshed_at: int
    stretch: int = 1


def meet(alert: DriftAlert, incident: Incident | None, last: PastIncident | None,
         retraining: Retraining) -> AlertVerdict:
    """Open an incident, join the open one, or nothing: of a window that ended before the last one settled, or within
    the cooldown from when that one opened."""
    if incident is not None:
        joined = replace(incident, alerts=incident.alerts + 1)
        return AlertVerdict(incident=joined, decided="joined",
                            reason=f"joins incident {incident.incident_id} as alert {joined.alerts}")
    if last is not None and alert.window_end <= last.settled:
        return AlertVerdict(incident=None, decided="suppressed",
                            reason="its window ended before the last incident settled, whose change it shows")
    if last is not None and alert.window_end - last.opened < retraining.cooldown:
        waited = (alert.window_end - last.opened) // 1_000
        return AlertVerdict(incident=None, decided="suppressed", reason=f"cooldown: the last incident opened {waited} "
                            f"s of event time before, {retraining.cooldown // 1_000} s are asked for")
    opened = Incident(incident_id=derived_id("incident", alert.alert_id), onset=alert.onset, opened=alert.window_end)
    return AlertVerdict(incident=opened, decided="opened", reason=alert.sentence)


def incident_due(incident: Incident, retraining: Retraining) -> Due | None:
    """The incident's next round, once it has the labels for it; several at once make one, the largest."""
    multiple = _reached(incident, retraining.min_new_labels)
    return Due(trigger="incident", multiple=multiple) if multiple >= incident.next_multiple else None


def after_round(incident: Incident, multiple: int) -> Incident:
    """The incident once a round of this multiple has been trained."""
    return replace(incident, next_multiple=multiple * 2)


def refresh_due(progress: Progress, retraining: Retraining) -> Due | None:
    """A refresh, once enough new labels and enough event time have passed."""
    if retraining.refresh_labels == 0:
        return None
    labels = progress.labels - progress.refreshed_labels >= retraining.refresh_labels * progress.stretch
    interval = progress.event_time - progress.refreshed_at >= retraining.refresh_interval * progress.stretch
    return Due(trigger="refresh", multiple=0) if labels and interval else None


def stretch(seconds: float, retraining: Retraining) -> int:
    """Times that the next refresh waits after a round whose fits took so long."""
    return max(1, ceil(seconds / retraining.fit_seconds))


def missing_labels(incident: Incident, retraining: Retraining) -> int:
    """Labels that the incident's next round still waits for; 0 when its rounds are over."""
    if incident.next_multiple > MAX_MULTIPLE:
        return 0
    return max(0, incident.next_multiple * retraining.min_new_labels - incident.labels)


def outcome(incident: Incident, judged: TrainingRound, *, promoted: bool) -> str | None:
    """Why the incident ends with the verdict on this round of its own; None: it goes on.

    A round that failed to promote after an earlier one had means that more rows no longer help.
    """
    if judged.incident_id != incident.incident_id:
        return None
    if judged.multiple >= MAX_MULTIPLE:
        return last_word(incident.promotions + promoted)
    if incident.promotions and not promoted:
        return "a larger window no longer helps"
    return None


def is_over(incident: Incident, rounds: Sequence[TrainingRound]) -> bool:
    """Whether its last round is judged; `rounds`: those that are not."""
    return incident.next_multiple > MAX_MULTIPLE and all(r.incident_id != incident.incident_id for r in rounds)


def last_word(promotions: int) -> str:
    """Why an incident ends whose last round is judged."""
    return "the last round is judged" if promotions else "given up: no candidate was promoted, the champion stands"


def _reached(incident: Incident, min_new_labels: int) -> int:
    multiple = 0
    following = incident.next_multiple
    while following <= MAX_MULTIPLE and incident.labels >= following * min_new_labels:
        multiple, following = following, following * 2
    return multiple
