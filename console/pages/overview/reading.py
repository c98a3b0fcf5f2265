"""What the overview says, gathered from the record and from Kafka."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from console.live import Pulse
from console.site import Visit
from console.store import Record
from schemas.codec import decode
from schemas.messages import DriftAlert, DriftReport, QualityReport, TrainingDecision
from schemas.model_log import Accepted
from schemas.pipeline import Pipeline
from schemas.topics import DRIFT_ALERTS, DRIFT_STATS, QUALITY, TRAINING_DECISIONS

LOOKED_AT = 200  # decisions among which those are found that say more than 'not now'
TOLD = 10
NOT_NOW = {"suppressed", "deferred"}  # the incidents' page has these too

Told = Literal["alert", "decision", "model"]


class Word(Struct, frozen=True, kw_only=True):
    """Something that was said. `said`: when, epoch ms."""

    kind: Told
    said: int
    head: str
    text: str


class Overview(Struct, frozen=True, kw_only=True):
    """The state of a pipeline. `windows`, `alerts`: how many there ever were; `incident`: id of the open one;
    `paused`: why nothing happens by itself."""

    pipeline: Pipeline
    pulse: Pulse
    report: DriftReport | None
    windows: int
    alerts: int
    champion: Accepted | None
    swaps: int
    quality: QualityReport | None
    incident: str | None
    paused: str | None
    words: Sequence[Word]

    @property
    def budget_windows(self) -> float:
        """Windows in which one false alarm is allowed."""
        return self.pipeline.drift.false_alarms.windows(self.pipeline.windows.size)


def look(visit: Visit) -> Overview:
    """Look once."""
    with visit.site.store.reading(visit.name) as reading:
        logs = visit.site.logs
        models, version, trainer = logs.models(reading), logs.versions(reading).current, logs.trainer(reading)
        reports, qualities = reading.newest(DRIFT_STATS, 1), reading.newest(QUALITY, 1)
        alerts, said = reading.newest(DRIFT_ALERTS, TOLD), reading.newest(TRAINING_DECISIONS, LOOKED_AT)
        decisions = [decode(record.value, TrainingDecision) for record in said]
        return Overview(
            pipeline=visit.stated() if version is None else version.pipeline,
            pulse=visit.site.live.pulse(visit.name),
            report=decode(reports[0].value, DriftReport) if reports else None,
            windows=reports[0].position + 1 if reports else 0, alerts=alerts[0].position + 1 if alerts else 0,
            champion=models.current, swaps=len(models.accepted),
            quality=decode(qualities[0].value, QualityReport) if qualities else None,
            incident=trainer.incident, paused=trainer.paused,
            words=_words(alerts, list(zip(said, decisions, strict=True)), models.accepted))


def _words(alerts: Sequence[Record], decisions: Sequence[tuple[Record, TrainingDecision]],
           models: Sequence[Accepted]) -> list[Word]:
    words = [_alert(record) for record in alerts]
    words += [Word(kind="decision", said=record.said, head=decision.verdict, text=decision.reason)
              for record, decision in decisions if decision.verdict not in NOT_NOW]
    words += [Word(kind="model", said=model.announcement.issued_at, head=f"version {model.announcement.version} serves",
                   text=model.announcement.reason) for model in models[-TOLD:]]
    return sorted(words, key=lambda word: -word.said)[:TOLD]


def _alert(record: Record) -> Word:
    alert = decode(record.value, DriftAlert)
    return Word(kind="alert", said=record.said, head=f"{alert.kind} alert", text=alert.sentence)
