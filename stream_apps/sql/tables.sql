-- Tables of one pipeline, in a schema of its own, which the owner has made.

-- One row a delivery; of several predictions the one with the highest epoch stays. answered_epoch: of the model whose
-- answer somebody was given before, over the prediction API.
create table {schema}.predictions (
  source text not null,
  source_day date not null,
  partition int not null,
  position bigint not null,
  event_id text not null,
  entity text not null,
  ts bigint not null,
  pipeline_digest text not null,
  model_version text not null,
  model_digest text not null,
  model_epoch bigint not null,
  prediction text not null,
  score double precision not null,
  probabilities jsonb,
  features jsonb not null,
  scored_at bigint not null,
  answered_epoch bigint,
  erased boolean not null default false, -- the source had a prediction of a person who was erased; no replay fills it
  primary key (source_day, source)
) partition by range (source_day);
create index predictions_event on {schema}.predictions (entity, event_id);

-- How far each partition has come in event time, by the predictions that are stored.
create table {schema}.event_times (
  partition int primary key,
  newest bigint not null
);

-- Predictions, and events that were labelled, by event time: a span begins at `start`.
create table {schema}.coverage (
  start bigint primary key,
  predictions bigint not null default 0,
  labelled bigint not null default 0
);

-- Events that are not old enough for silence to be an answer; kept only where `unlabelled_after` is set.
create table {schema}.unripe (
  entity text not null,
  event_id text not null,
  partition int not null,
  ts bigint not null,
  primary key (entity, event_id)
);
create index unripe_age on {schema}.unripe (partition, ts);

-- One row an event: the label of the highest revision, the first of those. conflict: another of that revision says
-- something else. partition: of the record. block: labels that enter the training log together. ripe: it may enter.
-- expired: no prediction came in time. emitted_*: what of it is in the training log.
create table {schema}.labels (
  entity text not null,
  event_id text not null,
  ts bigint not null,
  label jsonb not null,
  revision int not null,
  labeller text not null,
  partition int not null,
  block int,
  block_size int,
  implicit boolean not null default false,
  conflict boolean not null default false,
  ripe boolean not null default true,
  expired boolean not null default false,
  emitted_revision int,
  emitted_conflict boolean,
  primary key (entity, event_id)
);
create index labels_waiting on {schema}.labels (block, ripe)
where (emitted_revision, emitted_conflict) is distinct from (revision, conflict) and not expired;

-- Everything else that was said: reports, dead letters, labelled events; what was decided is in the audit. day: of the
-- record's time.
create table {schema}.messages (
  day date not null,
  topic text not null,
  partition int not null,
  position bigint not null,
  record_ts bigint not null,
  key bytea,
  value bytea,
  erased boolean not null default false,
  primary key (topic, partition, position, day)
) partition by range (day);

-- Predictions that PostgreSQL refused and labels that cannot be used, as they came: one bad row never costs its batch.
create table {schema}.refused (
  topic text not null,
  partition int not null,
  position bigint not null,
  reason text not null,
  value bytea,
  day date not null,
  erased boolean not null default false,
  primary key (topic, partition, position)
);

-- Retention: of each table of days the newest day that was stored, and the first that is kept. The newest day moves the
-- first one, never the clock: a replay keeps and drops the same.
create table {schema}.kept_days (
  parent text primary key,
  newest date not null,
  first date not null default '0001-01-01'
);

-- The partition of a day, made where it is missing, and those of days that are kept no longer, dropped: the writer neither
-- makes nor drops tables, so the owner does it for it. keep: days, null for ever. Returns the first day that is kept.
create function {schema}.open_day(parent text, day date, keep integer) returns date
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted text := parent || '_' || to_char(day, 'YYYY-MM-DD');
  oldest date;
  old record;
begin
  if parent not in ('predictions', 'messages') then
    raise exception 'no table % has a partition a day', parent;
  end if;
  if day not between date '0001-01-01' and date '9999-12-30' then
    raise exception 'no partition for day %', day using errcode = 'datetime_field_overflow';
  end if;
  perform pg_advisory_xact_lock(hashtext('automl-stream days of ' || {schema_name}));
  insert into {schema}.kept_days as kept values (parent, day)
  on conflict on constraint kept_days_pkey do update set newest = greatest(kept.newest, excluded.newest);
  update {schema}.kept_days kept set first = greatest(first, newest - keep + 1)
  where kept.parent = open_day.parent and keep is not null;
  select kept.first into oldest from {schema}.kept_days kept where kept.parent = open_day.parent;
  if day >= oldest and to_regclass(format('%I.%I', {schema_name}, wanted)) is null then
    execute format('create table %I.%I partition of %I.%I for values from (%L) to (%L)',
                   {schema_name}, wanted, {schema_name}, parent, day, day + 1);
  end if;
  for old in select c.relname from pg_class c join pg_inherits i on i.inhrelid = c.oid
             where i.inhparent = format('%I.%I', {schema_name}, parent)::regclass
               and right(c.relname::text, 10)::date < oldest loop
    if parent = 'predictions' then -- the labels of events that nobody will find again go with them
      execute format('delete from {schema}.labels l using %I.%I p where l.entity = p.entity and l.event_id = p.event_id '
                     'and not exists (select from {schema}.predictions q where q.entity = p.entity '
                     'and q.event_id = p.event_id and q.source_day >= %L)', {schema_name}, old.relname, oldest);
    end if;
    execute format('drop table %I.%I', {schema_name}, old.relname);
  end loop;
  if parent = 'messages' then
    delete from {schema}.refused r where r.day < oldest;
  elsif keep is not null then -- labels that never found a prediction, by event time
    delete from {schema}.labels l where l.expired and l.ts < (
      select max(t.newest) from {schema}.event_times t) - keep * 86400000::bigint;
  end if;
  return oldest;
end $$;
revoke all on function {schema}.open_day from public;

grant usage on schema {schema} to {writer}, {reader};
grant select on all tables in schema {schema} to {writer}, {reader};
grant execute on function {schema}.open_day to {writer};
grant insert on {schema}.messages, {schema}.refused to {writer};
grant insert, update on {schema}.predictions, {schema}.event_times, {schema}.coverage, {schema}.labels to {writer};
grant insert, delete on {schema}.unripe to {writer};
