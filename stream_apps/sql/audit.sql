-- What was decided and ordered, as it was said, for good: one hash chain a topic's partition, in offset order. chain: see
-- schemas/audit_chain.py; its heads are in Kafka too. The writer only adds.
create table {schema}.audit (
  topic text not null,
  partition int not null,
  position bigint not null,
  record_ts bigint not null,
  key bytea,
  value bytea,
  chain bytea not null,
  primary key (topic, partition, position)
);
-- Up to which row Kafka has confirmed where the chain stands: a replay does not say it again.
create table {schema}.audit_headed (
  topic text not null,
  partition int not null,
  position bigint not null,
  primary key (topic, partition)
);
grant select on {schema}.audit, {schema}.audit_headed to {writer}, {reader};
grant insert on {schema}.audit to {writer};
grant insert, update on {schema}.audit_headed to {writer};
