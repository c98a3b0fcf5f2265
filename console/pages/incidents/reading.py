"""Decisions by incident, and the alerts that they answer."""

from collections.abc import Sequence
from typing import LiteralString, get_args

from msgspec import Struct

from console.site import Visit
from console.store import Reading, Record
from schemas.codec import decode
from schemas.messages import DriftAlert, TrainingDecision, Verdict, derived_id
from schemas.topics import DRIFT_ALERTS, TRAINING_DECISIONS, topic_name

VERDICTS: tuple[str, ...] = get_args(Verdict)
SHOWN = 500  # decisions of the list
SEARCHED = 20_000  # among which those of a verdict are looked for
NEAR = 500  # decisions around the chosen one, and alerts before it, among which those of its incident are

_OF_VERDICT: LiteralString = """
select position, record_ts, value from (
  select position, record_ts, value from {schema}.audit
  where topic = %(topic)s and partition = 0 order by position desc limit %(searched)s) newest
where convert_from(value, 'UTF8')::json ->> 'verdict' = %(verdict)s order by position desc limit %(limit)s"""
_ALERTS_UNTIL: LiteralString = """
select position, record_ts, value from {schema}.audit
where topic = %(topic)s and partition = 0 and record_ts <= %(until)s order by position desc limit %(limit)s"""


class Spoken(Struct, frozen=True, kw_only=True):
    """A decision, and where and when (epoch ms) it was said."""

    position: int
    said: int
    decision: TrainingDecision


class Case(Struct, frozen=True, kw_only=True):
    """An incident, or a decision that belongs to none. `spoken`: of those asked for, the newest first."""

    spoken: Sequence[Spoken]

    @property
    def incident(self) -> str | None:
        """Its id."""
        return self.spoken[0].decision.incident_id


class Told(Struct, frozen=True, kw_only=True):
    """All of a case, oldest first. `alerts`: with the time of their records."""

    alerts: Sequence[tuple[int, DriftAlert]]
    spoken: Sequence[Spoken]


def read_cases(visit: Visit, verdict: str | None, before: int | None) -> list[Case]:
    """The newest, or those of a verdict, or those said before a position."""
    with visit.site.store.reading(visit.name) as reading:
        if verdict is None:
            return cases(_spoken(reading.newest(TRAINING_DECISIONS, SHOWN, before)))
        rows = reading.rows(_OF_VERDICT, topic=topic_name(visit.name, TRAINING_DECISIONS), searched=SEARCHED,
                            verdict=verdict, limit=SHOWN)
        return cases([Spoken(position=row["position"], said=row["record_ts"],
                             decision=decode(row["value"], TrainingDecision)) for row in rows])


def cases(spoken: Sequence[Spoken]) -> list[Case]:
    """Put together what is about one incident; newest first, in and out. Pure."""
    found: dict[str, list[Spoken]] = {}
    for one in spoken:
        found.setdefault(one.decision.incident_id or one.decision.decision_id, []).append(one)
    return [Case(spoken=together) for together in found.values()]


def read_case(visit: Visit, position: int) -> Told | None:
    """The case of the decision at a position; None where there is none."""
    with visit.site.store.reading(visit.name) as reading:
        near = _spoken(reading.newest(TRAINING_DECISIONS, NEAR, position + NEAR // 2))
        case = next((case for case in cases(near) if any(one.position == position for one in case.spoken)), None)
        if case is None:
            return None
        return Told(alerts=_alerts(reading, case), spoken=case.spoken[::-1])


def _spoken(records: Sequence[Record]) -> list[Spoken]:
    return [Spoken(position=record.position, said=record.said, decision=decode(record.value, TrainingDecision))
            for record in records]


def _alerts(reading: Reading, case: Case) -> list[tuple[int, DriftAlert]]:
    """Those that opened the incident or joined it, or that the decision is about: their ids follow from the alert's."""
    decided = {one.decision.decision_id for one in case.spoken}
    rows = reading.rows(_ALERTS_UNTIL, topic=topic_name(reading.pipeline, DRIFT_ALERTS), until=case.spoken[0].said,
                        limit=NEAR)
    alerts = [(row["record_ts"], decode(row["value"], DriftAlert)) for row in reversed(rows)]
    return [(said, alert) for said, alert in alerts if derived_id("incident", alert.alert_id) == case.incident
            or derived_id("alert", alert.alert_id) in decided]
