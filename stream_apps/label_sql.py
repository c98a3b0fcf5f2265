"""Statements of the label join; `{schema}` is the pipeline's."""

from typing import LiteralString

# A conflict enters the training log at once where the label did; one that waits in its block goes on waiting there.
# A worker that was stopped between KEPT and STORE, and comes again behind its successor, sets nothing back.
STORE: LiteralString = """
insert into {schema}.labels as kept
  (entity, event_id, ts, label, revision, labeller, partition, block, block_size, conflict, ripe)
values (%(entity)s, %(event_id)s, %(ts)s, %(label)s, %(revision)s, %(labeller)s, %(partition)s, %(block)s,
        %(block_size)s, %(conflict)s, %(ripe)s or (
          exists (select from {schema}.predictions where entity = %(entity)s and event_id = %(event_id)s)
          and not exists (select from {schema}.unripe where entity = %(entity)s and event_id = %(event_id)s)))
on conflict (entity, event_id) do update
set ts = excluded.ts, label = excluded.label, revision = excluded.revision, labeller = excluded.labeller,
    partition = excluded.partition, block_size = excluded.block_size,
    block = case when excluded.conflict and kept.emitted_revision = kept.revision then null else excluded.block end,
    conflict = excluded.conflict, ripe = kept.ripe or excluded.ripe, implicit = false, expired = false
where kept.implicit or (excluded.revision, excluded.conflict) >= (kept.revision, kept.conflict)
"""

KEPT: LiteralString = """
select entity, event_id, ts, label::text, revision, labeller, partition, block, block_size, conflict
from {schema}.labels join unnest(%s::text[], %s::text[]) as wanted (entity, event_id) using (entity, event_id)
"""

REFUSE: LiteralString = """
insert into {schema}.refused (topic, partition, position, reason, value, day) values (%s, %s, %s, %s, %s, %s::date)
on conflict do nothing
"""

# An event is ripe once a prediction of its partition is so much newer: its label may enter the training log, and where
# there is none, silence is the label.
RIPEN: LiteralString = """
with ripe as (
  delete from {schema}.unripe where ctid in (
    select u.ctid from {schema}.event_times t cross join lateral (
      select ctid from {schema}.unripe where partition = t.partition and ts <= t.newest - %(after)s
      order by ts limit %(rows)s
    ) u where t.partition = any(%(partitions)s)
  ) returning entity, event_id, partition, ts
)
insert into {schema}.labels as kept (entity, event_id, ts, label, revision, labeller, partition, implicit)
select entity, event_id, ts + %(after)s, %(label)s, %(revision)s, '', partition, true from ripe
on conflict (entity, event_id) do update set ripe = true
returning (kept.implicit and kept.emitted_revision is null)::int
"""

# Labels of a block enter together or not at all.
EXPIRE: LiteralString = """
update {schema}.labels l set expired = true from {schema}.event_times t
where t.partition = l.partition and t.partition = any(%(partitions)s) and l.ts < t.newest - %(horizon)s
  and l.block is null and not l.expired
  and (l.emitted_revision, l.emitted_conflict) is distinct from (l.revision, l.conflict)
  and not exists (select from {schema}.predictions where entity = l.entity and event_id = l.event_id)
"""

# A label joins the event's lowest source; the order is the same for every reader: (ts, partition, offset).
DUE: LiteralString = """
select l.label::text, l.revision, l.ts, l.labeller, l.implicit, l.conflict, p.event_id, p.entity, p.ts, p.source,
       p.pipeline_digest, p.features::text, p.model_version, p.model_digest, p.model_epoch, p.prediction, p.score,
       p.probabilities::text
from {schema}.labels l
cross join lateral (
  select * from {schema}.predictions
  where entity = l.entity and event_id = l.event_id and not erased order by partition, position limit 1
) p
where (l.emitted_revision, l.emitted_conflict) is distinct from (l.revision, l.conflict) and not l.expired
  and l.block is not distinct from %s and l.ripe >= %s
order by p.ts, p.partition, p.position
limit %s
"""

NEXT_BLOCK: LiteralString = """
select block, max(block_size) from {schema}.labels
where (emitted_revision, emitted_conflict) is distinct from (revision, conflict) and not expired and block is not null
group by block order by block limit 1
"""

# Of an event that somebody labelled for the first time the span's count rises; revision -1 is the implicit label.
MARK: LiteralString = """
with said as (
  select * from unnest(%s::text[], %s::text[], %s::int[], %s::boolean[], %s::bigint[])
    as s (entity, event_id, revision, conflict, start)
), counted as (
  insert into {schema}.coverage as kept (start, labelled)
  select s.start, count(*) from said s join {schema}.labels l using (entity, event_id)
  where s.revision > -1 and coalesce(l.emitted_revision, -1) = -1 group by s.start order by s.start
  on conflict (start) do update set labelled = kept.labelled + excluded.labelled
)
update {schema}.labels l set emitted_revision = s.revision, emitted_conflict = s.conflict
from said s where l.entity = s.entity and l.event_id = s.event_id
  and (l.emitted_revision is null or l.emitted_revision <= s.revision)
"""

SILENCE: LiteralString = """
update {schema}.labels set implicit = true where revision = %(revision)s and not implicit
"""

WAITING: LiteralString = """
select count(*) from {schema}.labels
where (emitted_revision, emitted_conflict) is distinct from (revision, conflict) and not expired
"""

COVERAGE: LiteralString = """
select sum(predictions)::float8, sum(labelled)::float8
from {schema}.coverage, (select max(newest) as now from {schema}.event_times) t
where start between t.now - %(oldest)s and t.now - %(newest)s
"""
