"""Where a panel's numbers come from: Prometheus, or the analysts' views in PostgreSQL.

Which of each is meant, and which pipeline, is a variable of the dashboard.
"""

from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${prometheus}")
POSTGRES = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${postgres}")
LINES, ROWS = 50, 200  # of a picture, of a table
KEPT_BY_DAY = {"drift", "quality"}


def metric(expression: str, legend: str = "") -> PrometheusQuery:
    """What Prometheus says over the dashboard's time; `legend` names its series by their labels: `{{service}}`."""
    return _metric(expression, legend).range()


def metric_now(expression: str, legend: str = "") -> PrometheusQuery:
    """What Prometheus says at the end of the dashboard's time."""
    return _metric(expression, legend).instant()


def metric_rows(expression: str) -> PrometheusQuery:
    """The same as rows of a table, a column a label."""
    return _metric(expression, "").instant().format(PromQueryFormat.TABLE)


def _metric(expression: str, legend: str) -> PrometheusQuery:
    query = PrometheusQuery().expr(expression).datasource(PROMETHEUS).editor_mode(QueryEditorMode.CODE)
    return query.legend_format(legend) if legend else query


class SqlQuery(Builder["SqlQuery"], Dataquery):
    """A statement for PostgreSQL, which the library has no type for."""

    def __init__(self, statement: str, form: str) -> None:
        self._statement, self._form, self._ref_id = statement, form, ""

    def ref_id(self, ref_id: str) -> "SqlQuery":
        """Name the query within its panel."""
        self._ref_id = ref_id
        return self

    def build(self) -> "SqlQuery":
        """It is what it builds."""
        return self

    def to_json(self) -> dict[str, object]:
        """As Grafana's PostgreSQL data source stores it."""
        return {"refId": self._ref_id, "datasource": POSTGRES, "editorMode": "code", "format": self._form,
                "rawQuery": True, "rawSql": self._statement}


Query = PrometheusQuery | SqlQuery


def series(view: str, value: str, names: str, where: str = "") -> SqlQuery:
    """A line for each of `names` in a view, as far as it was said within the dashboard's time.

    `value`: an aggregate, of what falls into one of Grafana's intervals. The names with the highest values are shown.
    """
    point = f"said / $__interval_ms * $__interval_ms as moment, {names} as metric, {value} as value"
    return SqlQuery(f"with points as (\n"
                    f"  select {point}\n"
                    f"  {within(view)}{' and ' if where else ''}{where}\n"
                    f"  group by 1, 2 having {value} is not null)\n"
                    f"select to_timestamp(moment / 1000.0) as time, metric, value from points\n"
                    f"where metric in (select metric from points group by 1 order by max(value) desc limit {LINES})\n"
                    f"order by 1", "time_series")


def newest(view: str, columns: str) -> SqlQuery:
    """The newest rows of a view, as far as they were said within the dashboard's time."""
    return SqlQuery(f"select distinct to_timestamp(said / 1000.0) as time, {columns}\n"
                    f"{within(view)}\n"
                    f"order by 1 desc limit {ROWS}", "table")


def within(view: str) -> str:
    """What was said within the dashboard's time (epoch milliseconds in both); a schema is named like its pipeline."""
    days = " and ".join(f"day {bound} {_day(moment)}" for bound, moment in ((">=", "$__from"), ("<=", "$__to")))
    further = f" and {days}" if view in KEPT_BY_DAY else ""
    return f'from "${{pipeline:raw}}".{view} where said between $__from and $__to{further}'


def _day(moment: str) -> str:
    return f"(to_timestamp({moment} / 1000.0) at time zone 'UTC')::date"
