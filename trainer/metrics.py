"""What the trainer shows of itself."""

from math import nan
from typing import get_args

from schemas.messages import TrainerState, Verdict
from schemas.pipeline import Family
from telemetry.metrics import ServiceMetrics
from trainer.breaker import OPEN

FIT_SECONDS = (.05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300, 1_800)


class TrainerMetrics(ServiceMetrics):
    """Decisions, and what they stand on."""

    def __init__(self) -> None:
        super().__init__()
        self.leads = self.gauge("trainer_leads", "1 while this trainer is the one that trains.")
        self.decisions = self.counter("decisions", "Decisions written.", verdict=get_args(Verdict))
        self.rows = self.counter("trainer_rows", "Records of `labelled` taken in.")
        self.alerts = self.counter("trainer_alerts", "Alerts taken in.")
        self.incidents = self.counter("incidents_opened", "Incidents opened.")
        self.incident = self.gauge("incident_open", "1 while an incident is open.")
        self.incident_age = self.gauge("incident_age_seconds", "Event time since the open incident was opened, else 0.")
        self.paused = self.gauge(
            "trainer_paused", "1 while nothing happens by itself: an operator paused it, or the breaker is open.")
        self.breaker = self.gauge("breaker_open", "1 while the breaker is open.")
        self.fit_seconds = self.histogram("fit_seconds", "Duration of one fit.", FIT_SECONDS, family=get_args(Family))
        self.tuning_seconds = self.histogram(
            "tuning_seconds", "Duration of early stops and searches before a round's fits.", FIT_SECONDS)
        self.covered = self.gauge("trainer_covered_offset", "Offset of `labelled` up to which all is taken in.")
        self.lag = self.gauge("trainer_lag_records", "Records of `labelled` that wait.")
        self.epoch = self.gauge("champion_epoch", "Epoch of the champion.")
        self.loss = self.gauge("champion_loss", "Discounted mean loss of the champion on fresh rows.")
        self.baseline = self.gauge("baseline_loss", "The same of answering the labels' own frequencies, or their mean.")
        self.mlflow = self.gauge("registry_reachable", "1 while MLflow answers, 0 while it does not.")
        self.pictures = self.counter("pictures_failed", "Promoted models whose pictures could not be made.")
        self.loss.set(nan)
        self.baseline.set(nan)
        self._incident: str | None = None

    def resume(self, state: TrainerState) -> None:
        """What the trainer found: an incident that is open was counted when it was opened."""
        self._incident = None if state.incident is None else state.incident.incident_id
        self.show(state)

    def show(self, state: TrainerState) -> None:
        """What the trainer stands on now."""
        incident, champion, baseline = state.incident, state.champion, state.baseline
        self.leads.set(1)
        self.covered.set(state.covered)
        self.epoch.set(state.champion_epoch)
        self.paused.set(state.paused is not None)
        self.breaker.set((state.paused or "").startswith(OPEN))
        self.incident.set(incident is not None)
        self.incident_age.set((state.event_time - incident.opened) / 1_000 if incident is not None else 0)
        if incident is not None and incident.incident_id != self._incident:
            self._incident = incident.incident_id
            self.incidents.inc()
        if champion.weight:
            self.loss.set(champion.loss / champion.weight)
        if baseline.weight:
            self.baseline.set(baseline.loss / baseline.weight)
