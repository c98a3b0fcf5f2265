-- Tables of one pipeline, in a schema of its own. Every statement may run again.

create schema if not exists {schema};

-- One row a delivery; of several predictions the one with the highest epoch stays.
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
  primary key (source_day, source)
) partition by range (source_day);
create index if not exists predictions_event on {schema}.predictions (entity, event_id);

-- One row an event: the label of the highest revision. block: labels that enter the training log together.
create table if not exists {schema}.labels (
  entity text not null,
  event_id text not null,
  ts bigint not null,
  label jsonb not null,
  revision int not null,
  block int,
  block_size int,
  emitted_revision int,
  primary key (entity, event_id)
);
create index if not exists labels_waiting on {schema}.labels (block) where emitted_revision is distinct from revision;

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

-- Predictions that PostgreSQL refused, with its reason: one bad row never costs its batch.
create table if not exists {schema}.refused (
  topic text not null,
  partition int not null,
  position bigint not null,
  reason text not null,
  value bytea,
  primary key (topic, partition, position)
);
