-- Tables of one pipeline, in a schema of its own, which the owner has made.

-- One row a delivery; of several predictions the one with the highest epoch stays.
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

-- Everything else that was said: alerts, reports, decisions, announcements, dead letters, labelled events. day: of the
-- record's time.
create table {schema}.messages (
  day date not null,
  topic text not null,
  partition int not null,
  position bigint not null,
  record_ts bigint not null,
  key bytea,
  value bytea,
  primary key (topic, partition, position, day)
) partition by range (day);

-- Predictions that PostgreSQL refused and labels that cannot be used, as they came: one bad row never costs its batch.
create table {schema}.refused (
  topic text not null,
  partition int not null,
  position bigint not null,
  reason text not null,
  value bytea,
  primary key (topic, partition, position)
);

-- The partition of a day, made where it is missing: the writer makes no tables, so the owner does it for it.
create function {schema}.add_day(parent text, day date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted text := parent || '_' || to_char(day, 'YYYY-MM-DD');
begin
  if parent not in ('predictions', 'messages') then
    raise exception 'no table % has a partition a day', parent;
  end if;
  if day not between date '0001-01-01' and date '9999-12-30' then
    raise exception 'no partition for day %', day using errcode = 'datetime_field_overflow';
  end if;
  perform pg_advisory_xact_lock(hashtext('automl-stream days of ' || {schema_name}));
  if to_regclass(format('%I.%I', {schema_name}, wanted)) is null then
    execute format('create table %I.%I partition of %I.%I for values from (%L) to (%L)',
                   {schema_name}, wanted, {schema_name}, parent, day, day + 1);
  end if;
end $$;
revoke all on function {schema}.add_day from public;

grant usage on schema {schema} to {writer}, {reader};
grant select on all tables in schema {schema} to {writer}, {reader};
grant execute on function {schema}.add_day to {writer};
grant insert on {schema}.messages, {schema}.refused to {writer};
grant insert, update on {schema}.predictions, {schema}.event_times, {schema}.coverage, {schema}.labels to {writer};
grant insert, delete on {schema}.unripe to {writer};
