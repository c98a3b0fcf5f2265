"""Decisions by incident, and the alerts that they answer."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import LiteralString, get_args

from msgspec import Struct

from console.site import Visit
from console.store import Reading, Record, as_record
from schemas.codec import decode
from schemas.messages import DriftAlert, TrainingDecision, Verdict, derived_id
from schemas.topics import DRIFT_ALERTS, TRAINING_DECISIONS, topic_name

VERDICTS: tuple[str, ...] = get_args(Verdict)
SHOWN = 500  # decisions of the list
SEARCHED = 20_000  # decisions among which those of a verdict, or of an incident on either side of one, are looked for
MOST_TOLD = 2_000  # decisions of one incident, and alerts until its last one

_OF_VERDICT: LiteralString = """
select position, record_ts, value from (
  select position, record_ts, value from {schema}.audit
  where topic = %(topic)s and partition = 0 order by position desc limit %(searched)s) newest
where convert_from(value, 'UTF8')::json ->> 'verdict' = %(verdict)s order by position desc limit %(limit)s"""
_OF_INCIDENT: LiteralString = """
select position, record_ts, value from {schema}.audit
where topic = %(topic)s and partition = 0 and position between %(first)s and %(last)s
  and convert_from(value, 'UTF8')::json ->> 'incident_id' = %(incident)s order by position desc limit %(limit)s"""
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
    """A case, oldest first. `alerts`: with the time of their records; `whole`: nothing of it is left out."""

    alerts: Sequence[tuple[int, DriftAlert]]
    spoken: Sequence[Spoken]
    whole: bool


def read_cases(visit: Visit, verdict: str | None, before: int | None) -> list[Case]:
    """The newest, or those of a verdict, or those said before a position."""
    with visit.site.store.reading(visit.name) as reading:
        if verdict is None:
            return cases(_spoken(reading.newest(TRAINING_DECISIONS, SHOWN, before)))
        rows = reading.rows(_OF_VERDICT, topic=topic_name(visit.name, TRAINING_DECISIONS), searched=SEARCHED,
                            verdict=verdict, limit=SHOWN)
        return cases(_spoken(map(as_record, rows)))


def cases(spoken: Sequence[Spoken]) -> list[Case]:
    """Put together what is about one incident; newest first, in and out. Pure."""
    found: dict[str, list[Spoken]] = {}
    for one in spoken:
        found.setdefault(one.decision.incident_id or one.decision.decision_id, []).append(one)
    return [Case(spoken=together) for together in found.values()]


def read_case(visit: Visit, position: int) -> Told | None:
    """The case of the decision at a position; None where there is none."""
    with visit.site.store.reading(visit.name) as reading:
        chosen = [one for one in _spoken(reading.newest(TRAINING_DECISIONS, 1, position + 1))
                  if one.position == position]
        if not chosen:
            return None
        incident = chosen[0].decision.incident_id
        return _told(reading, chosen) if incident is None else _of_incident(reading, incident, position)


def read_incident(visit: Visit, incident: str) -> Told | None:
    """The incident of that id; None where the newest decisions say nothing of it."""
    with visit.site.store.reading(visit.name) as reading:
        return _of_incident(reading, incident, reading.said(TRAINING_DECISIONS) - 1)


def runs(spoken: Sequence[Spoken]) -> Iterator[list[Spoken]]:
    """Decisions of a case one by one, but those on alerts that only joined it together while nothing else was said:
    while a change lasts every window may bring one. Pure."""
    for joined, group in groupby(spoken, key=_joins):
        together = list(group)
        yield from [together] if joined else ([one] for one in together)


def _joins(one: Spoken) -> bool:
    return one.decision.verdict == "suppressed" and one.decision.incident_id is not None


def _of_incident(reading: Reading, incident: str, around: int) -> Told | None:
    rows = reading.rows(_OF_INCIDENT, topic=topic_name(reading.pipeline, TRAINING_DECISIONS), incident=incident,
                        first=around - SEARCHED, last=around + SEARCHED, limit=MOST_TOLD)
    return _told(reading, _spoken(map(as_record, rows))) if rows else None


def _told(reading: Reading, spoken: Sequence[Spoken]) -> Told:
    """With the alerts that opened it or joined it, or that the decision is about: their ids follow from the alert's.
    `spoken`: newest first."""
    incident, decided = spoken[0].decision.incident_id, {one.decision.decision_id for one in spoken}
    rows = reading.rows(_ALERTS_UNTIL, topic=topic_name(reading.pipeline, DRIFT_ALERTS), until=spoken[0].said,
                        limit=MOST_TOLD)
    alerts = [(row["record_ts"], decode(row["value"], DriftAlert)) for row in reversed(rows)]
    openers = {alert.alert_id for _, alert in alerts if derived_id("incident", alert.alert_id) == incident}
    return Told(
        alerts=[(said, alert) for said, alert in alerts if alert.alert_id in openers
                or derived_id("alert", alert.alert_id) in decided],
        spoken=spoken[::-1], whole=incident is None or (bool(openers) and len(spoken) < MOST_TOLD))


def _spoken(records: Iterable[Record]) -> list[Spoken]:
    return [Spoken(position=record.position, said=record.said, decision=decode(record.value, TrainingDecision))
            for record in records]
