"""Predictions that are stored, and what `audit explain` says about one."""

from collections.abc import Sequence
from typing import LiteralString

from msgspec import Struct

from console.site import Visit
from schemas.messages import DriftAlert, FeatureValue, GateVerdict, Recipe

SHOWN = 200

# The newest day's by the primary key: no index has them by time, and recording shall not pay for one.
_SOME: LiteralString = """
select p.event_id, p.entity, p.ts, p.prediction, p.score, p.model_version, p.scored_at, l.label #>> '{{}}' as label
from {schema}.predictions p left join {schema}.labels l using (entity, event_id)
where not p.erased order by p.source_day desc, p.source desc limit %(limit)s"""
_FOUND: LiteralString = """
select p.event_id, p.entity, p.ts, p.prediction, p.score, p.model_version, p.scored_at, l.label #>> '{{}}' as label
from {schema}.predictions p left join {schema}.labels l using (entity, event_id)
where not p.erased and (%(event)s::text is null or p.event_id = %(event)s)
  and (%(entity)s::text is null or p.entity = %(entity)s)
order by p.ts desc limit %(limit)s"""


class Said(Struct, frozen=True, kw_only=True):
    """A stored prediction. `ts`, `scored_at`: epoch ms; `label`: the truth, where it is known."""

    event_id: str
    entity: str
    ts: int
    prediction: str
    score: float
    model_version: str
    scored_at: int
    label: str | None


class Maker(Struct, frozen=True, kw_only=True):
    """The model that made it, as `audit explain` tells of it."""

    version: str
    digest: str
    epoch: int
    announced: int
    slot: str
    reason: str
    by: str
    trigger: str | None
    recipe: Recipe | None
    gate: GateVerdict | None
    run: str | None


class Explanation(Struct, frozen=True, kw_only=True):
    """What `audit explain` says. `maker`: None where the record has no such announcement."""

    features: dict[str, FeatureValue]
    same_definition: bool
    maker: Maker | None
    alerts_since: int
    newest_alerts: list[DriftAlert]
    deliveries: int


def search(visit: Visit, event: str, entity: str) -> Sequence[Said]:
    """Predictions of an event or of an entity, the newest first; some where nothing is asked for."""
    query = _FOUND if event or entity else _SOME
    with visit.site.store.reading(visit.name) as reading:
        rows = reading.rows(query, event=event or None, entity=entity or None, limit=SHOWN)
    return [Said(**row) for row in rows]
