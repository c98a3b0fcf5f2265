"""What all dashboards have in common: variables, links to each other, and panels in rows."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from grafana.queries import POSTGRES, PROMETHEUS, within

TAG = "automl-stream"
DOCS = "http://127.0.0.1:8000"  # as `python -m http.server --directory site` serves what `make docs` wrote

REFRESH = "5m"  # PostgreSQL reads report by report
CHOSEN = "feature in (${feature:sqlstring})"

Variable = Builder[models.VariableModel]
Panels = Sequence[Builder[models.Panel]]


def board(name: str, title: str, description: str, rows: Mapping[str, Panels], *variables: Variable) -> Dashboard:
    """A dashboard whose address ends in `automl-stream-NAME`; `rows`: panels by what they are about."""
    made = (Dashboard(title).uid(f"{TAG}-{name}").description(description).tags([TAG]).editable()
            .time("now-6h", "now").refresh(REFRESH).tooltip(models.DashboardCursorSync.CROSSHAIR)
            .variables([*_common(), *variables])
            .link(DashboardLink("The other dashboards").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
                  .as_dropdown(as_dropdown=True).keep_time(keep_time=True).include_vars(include_vars=True)))
    for about, panels in rows.items():
        made = made.with_row(Row(about))
        for panel in panels:
            made = made.with_panel(panel)
    return made


def features() -> Variable:
    """A variable for some of the features that PostgreSQL knows within the dashboard's time; see `CHOSEN`."""
    return (QueryVariable("feature").label("Features").datasource(POSTGRES).multi(multi=True)
            .query(f"select distinct feature {within('drift')}")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC))


def _common() -> list[Variable]:
    return [
        DatasourceVariable("prometheus").label("Prometheus").type(str(PROMETHEUS.type_val)),
        DatasourceVariable("postgres").label("PostgreSQL").type(str(POSTGRES.type_val)),
        QueryVariable("pipeline").label("Pipeline").datasource(PROMETHEUS)
        .query("label_values(automl_stream_build_info, pipeline)")
        .refresh(models.VariableRefresh.ON_DASHBOARD_LOAD).sort(models.VariableSort.ALPHABETICAL_ASC),
        TextBoxVariable("docs").label("Documentation").default_value(DOCS)
        .description("Where the documentation is served: panels link to their runbooks there."),
    ]
