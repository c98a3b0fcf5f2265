-- Tables of one pipeline, in a schema of its own. Every statement may run again.

create schema if not exists {schema};

-- One row a delivery; of several predictions the one with the highest epoch stays. answered_epoch: of the model whose
-- answer somebody was given before, over the prediction API.
create table if not exists {schema}.predictions (
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
  primary key (source_day, source)
) partition by range (source_day);
create index if not exists predictions_event on {schema}.predictions (entity, event_id);

-- How far each partition has come in event time, by the predictions that are stored.
create table if not exists {schema}.event_times (
  partition int primary key,
  newest bigint not null
);

-- Predictions, and events that were labelled, by event time: a span begins at `start`.
create table if not exists {schema}.coverage (
  start bigint primary key,
  predictions bigint not null default 0,
  labelled bigint not null default 0
);

-- Events that are not old enough for silence to be an answer; kept only where `unlabelled_after` is set.
create table if not exists {schema}.unripe (
  entity text not null,
  event_id text not null,
  partition int not null,
  ts bigint not null,
  primary key (entity, event_id)
);
create index if not exists unripe_age on {schema}.unripe (partition, ts);

-- One row an event: the label of the highest revision, the first of those. conflict: another of that revision says
-- something else. partition: of the record. block: labels that enter the training log together. ripe: it may enter.
-- expired: no prediction came in time. emitted_*: what of it is in the training log.
create table if not exists {schema}.labels (
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
create index if not exists labels_waiting on {schema}.labels (block, ripe)
where (emitted_revision, emitted_conflict) is distinct from (revision, conflict) and not expired;

-- Everything else that was said: alerts, reports, decisions, announcements, dead letters, labelled events.
create table if not exists {schema}.messages (
  topic text not null,
  partition int not null,
  position bigint not null,
  record_ts bigint not null,
  key bytea,
  value bytea,
  primary key (topic, partition, position)
);

-- Predictions that PostgreSQL refused and labels that cannot be used, as they came: one bad row never costs its batch.
create table if not exists {schema}.refused (
  topic text not null,
  partition int not null,
  position bigint not null,
  reason text not null,
  value bytea,
  primary key (topic, partition, position)
);

-- Live quality, a row a figure of `QualityReport`.
create or replace view {schema}.quality as
select m.position, r.first, r.last, r.window_start, r.window_end, q.*
from {schema}.messages m
cross join lateral jsonb_to_record(convert_from(m.value, 'UTF8')::jsonb) as r (
  first bigint, last bigint, window_start bigint, window_end bigint, qualities jsonb)
cross join lateral jsonb_to_recordset(r.qualities) as q (
  version text, feature text, value text, rows bigint, accuracy double precision, log_loss double precision,
  brier double precision, auc double precision, no_change_accuracy double precision, kappa_temporal double precision,
  mae double precision, rmse double precision, no_change_mae double precision)
where m.topic = {quality};
