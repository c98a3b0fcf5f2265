-- What analysts ask: every view may be dropped and made anew, it holds nothing. Times are epoch milliseconds.

-- One row an event: its first delivery. Anything that may be asked of `predictions` may be asked of this.
create view {schema}.latest_predictions as
select p.* from {schema}.predictions p
where not p.erased and not exists (
  select from {schema}.predictions q where q.entity = p.entity and q.event_id = p.event_id
    and (q.partition, q.position, q.source) < (p.partition, p.position, p.source));

-- The same with the truth beside it. conflict: somebody contradicts this label; implicit: nobody said it.
create view {schema}.labelled_predictions as
select p.*, l.label #>> '{{}}' as label, jsonb_typeof(l.label) = 'number' as is_number, l.revision, l.ts as labelled_ts,
       l.labeller, l.implicit, l.conflict
from {schema}.latest_predictions p join {schema}.labels l using (entity, event_id);

-- How good each version was on the events of a day. accuracy: of classes; mae: of numbers.
create view {schema}.quality_by_day as
select source_day as day, model_version as version, count(*) as rows,
       avg((label = prediction)::int) filter (where not is_number) as accuracy,
       avg(abs(label::float8 - prediction::float8)) filter (where is_number) as mae
from {schema}.labelled_predictions where not conflict group by source_day, model_version;

-- Live quality, a row a figure of `QualityReport`. said: time of the record; day: of that time, and only what is named of
-- either is read.
create view {schema}.quality as
select m.position, r.first, r.last, r.window_start, r.window_end, q.*, m.day, m.record_ts as said
from {schema}.messages m
cross join lateral jsonb_to_record(convert_from(m.value, 'UTF8')::jsonb) as r (
  first bigint, last bigint, window_start bigint, window_end bigint, qualities jsonb)
cross join lateral jsonb_to_recordset(r.qualities) as q (
  version text, feature text, value text, rows bigint, accuracy double precision, log_loss double precision,
  brier double precision, auc double precision, no_change_accuracy double precision, kappa_temporal double precision,
  mae double precision, rmse double precision, no_change_mae double precision)
where m.topic = {quality} and not m.erased;

-- Drift, a row a feature of a closed window; said and day as above.
create view {schema}.drift as
select r.window_start, r.window_end, r.profile, r.rows as window_rows, r.alarm as window_alarm, r.verdict,
       f.name as feature, f.rows, f.missing, f.ks, f.psi, f.jensen_shannon, f.wasserstein, f.effect, f.lower_bound,
       f.log_p, f.scale, f.contrast, f.calibrated, f.alarm, m.day, m.record_ts as said
from {schema}.messages m
cross join lateral jsonb_to_record(convert_from(m.value, 'UTF8')::jsonb) as r (
  window_start bigint, window_end bigint, profile text, rows bigint, alarm boolean, verdict text, features jsonb)
cross join lateral jsonb_to_recordset(r.features) as f (
  name text, rows bigint, missing double precision, ks double precision, psi double precision,
  jensen_shannon double precision, wasserstein double precision, effect double precision, lower_bound double precision,
  log_p double precision, scale int, contrast text, calibrated boolean, alarm boolean)
where m.topic = {drift_stats} and not m.erased;

-- The catalogue of features as far as reports tell: event time from the first to the last window with a value, and the
-- newest window in which it alarmed. What a feature is says the definition.
create view {schema}.features as
select feature, min(window_start) filter (where rows > 0 and missing < 1) as first_seen,
       max(window_end) filter (where rows > 0 and missing < 1) as last_seen,
       max(window_start) filter (where alarm) as last_alarm
from {schema}.drift group by feature;

-- Alerts, decisions and announcements, as the audit holds them; said: time of the record.
create view {schema}.alerts as
select a.position, a.record_ts as said, r.*
from {schema}.audit a
cross join lateral jsonb_to_record(convert_from(a.value, 'UTF8')::jsonb) as r (
  alert_id text, kind text, window_start bigint, window_end bigint, onset bigint, features jsonb, sentence text,
  profile text, labelled_offset bigint, detector text)
where a.topic = {drift_alerts};

create view {schema}.decisions as
select a.position, a.record_ts as said, r.*
from {schema}.audit a
cross join lateral jsonb_to_record(convert_from(a.value, 'UTF8')::jsonb) as r (
  decision_id text, incident_id text, trigger text, verdict text, reason text, "at" bigint, version text, by text)
where a.topic = {training_decisions};

-- epoch: what predictions call model_epoch. One that does not replace the newest of its slot was not accepted.
create view {schema}.announcements as
select a.position as epoch, a.record_ts as said, r.*
from {schema}.audit a
cross join lateral jsonb_to_record(convert_from(a.value, 'UTF8')::jsonb) as r (
  slot text, share double precision, replaces bigint, version text, reason text, decision_id text, issued_at bigint)
where a.topic = {model_updates};

grant select on all tables in schema {schema} to {reader}, {writer};
