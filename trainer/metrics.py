"""Metrics of the trainer."""

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter("trainer_decisions_total", "Decisions written, by verdict.", ["verdict"])
ROWS = Counter("trainer_labelled_rows_total", "Records of `labelled` taken in.")
ALERTS = Counter("trainer_alerts_total", "Alerts taken in.")
FIT_SECONDS = Histogram("trainer_fit_seconds", "Duration of one fit.", ["family"])
COVERED = Gauge("trainer_covered_offset", "Offset of `labelled` that trainer-state covers (exclusive).")
LAG = Gauge("trainer_labelled_lag", "Records of `labelled` that wait.")
EPOCH = Gauge("trainer_champion_epoch", "Epoch of the champion.")
CHAMPION_LOSS = Gauge("trainer_champion_loss", "Discounted mean loss of the champion on fresh rows.")
PAUSED = Gauge("trainer_paused", "1 while nothing happens by itself: an operator paused it, or the breaker is open.")
INCIDENT = Gauge("trainer_incident_open", "1 while an incident is open.")
