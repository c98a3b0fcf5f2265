"""A panel: a question, and the picture that answers it."""

from collections.abc import Mapping
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TableAutoCellOptions,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from msgspec import Struct

from grafana.queries import POSTGRES, PROMETHEUS, Query, SqlQuery

GOOD, WATCH, BAD, PLAIN = "green", "orange", "red", "blue"
QUARTER, THIRD, HALF, WHOLE = 6, 8, 12, 24  # of the grid's columns

PanelT = TypeVar("PanelT", timeseries.Panel, stat.Panel, bargauge.Panel, statetimeline.Panel, statushistory.Panel,
                 table.Panel)


class Question(Struct, frozen=True, kw_only=True):
    """What somebody wants to know.

    Attributes:
        asks: the panel's title.
        means: what the answer is made of, and what to make of it.
        unit: Grafana's name of the values' unit.
        see: pages of the documentation: of an alert its runbook, `runbooks/NoEvents`.
        bounds: values, rising, and the colour from each on; before the first it is `first`.
        width: in columns of the grid, which has 24.
    """

    asks: str
    means: str
    unit: str
    see: tuple[str, ...]
    first: str = GOOD
    bounds: tuple[tuple[float, str], ...] = ()
    width: int = HALF


def number(question: Question, query: Query) -> stat.Panel:
    """One value, and how it came about."""
    return _panel(stat.Panel(), question, query).height(5).reduce_options(_last())


def lines(question: Question, *queries: Query) -> timeseries.Panel:
    """Values over time; bounds are dashed lines."""
    style = GraphThresholdsStyleMode.DASHED if question.bounds else GraphThresholdsStyleMode.OFF
    return (_panel(timeseries.Panel(), question, *queries).height(8)
            .legend(_legend()).tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI)).fill_opacity(10)
            .thresholds_style(GraphThresholdsStyleConfig().mode(style))
            .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC)))


def stacked(question: Question, *queries: Query) -> timeseries.Panel:
    """Parts of a whole over time, as bars."""
    return (lines(question, *queries).stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
            .draw_style(GraphDrawStyle.BARS).fill_opacity(80))


def ranking(question: Question, query: Query) -> bargauge.Panel:
    """Values of now beside each other."""
    return (_panel(bargauge.Panel(), question, query).height(10).reduce_options(_last())
            .orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.GRADIENT))


def states(question: Question, words: Mapping[str, tuple[str, str]], *queries: Query) -> statetimeline.Panel:
    """What each was at which time; `words`: text and colour of each value."""
    results = {value: ValueMappingResult(text=text, color=colour) for value, (text, colour) in words.items()}
    return (_panel(statetimeline.Panel(), question, *queries).height(8).legend(_legend())
            .mappings([ValueMap(options=results)]).show_value(VisibilityMode.NEVER))


def heat(question: Question, query: Query) -> statushistory.Panel:
    """A row a series, a cell a point in time, coloured by the bounds."""
    return (_panel(statushistory.Panel(), question, query).height(14).legend(_legend())
            .show_value(VisibilityMode.NEVER).color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
            .max_data_points(100).per_page(50))


def table_of(question: Question, query: Query, units: Mapping[str, str]) -> table.Panel:
    """Rows as they are; `units`: of the columns that are numbers."""
    panel = _panel(table.Panel(), question, query).height(9).filterable(filterable=True).cell_options(
        TableAutoCellOptions())
    for column, unit in {"time": "dateTimeAsIso", **units}.items():
        panel = panel.override_by_name(column, [DynamicConfigValue(id_val="unit", value=unit)])
    return panel


def _panel(panel: PanelT, question: Question, *queries: Query) -> PanelT:
    steps = [Threshold(color=question.first),
             *(Threshold(value=value, color=colour) for value, colour in question.bounds)]
    panel = (panel.title(question.asks).description(question.means).unit(question.unit).span(question.width)
             .datasource(POSTGRES if isinstance(queries[0], SqlQuery) else PROMETHEUS)
             .links([_link(page) for page in question.see])
             .thresholds(ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)))
    for letter, query in zip("ABCDEF"[:len(queries)], queries, strict=True):
        panel = panel.with_target(query.ref_id(letter))
    return panel


def _link(page: str) -> DashboardLink:
    words = f"Runbook: {page.removeprefix('runbooks/')}" if page.startswith("runbooks/") else f"What it means: {page}"
    return (DashboardLink(words).type(DashboardLinkType.LINK).target_blank(target_blank=True)
            .url(f"${{docs}}/{page}.html"))


def _legend() -> VizLegendOptions:
    return (VizLegendOptions().show_legend(show_legend=True).display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM).calcs([]))


def _last() -> ReduceDataOptions:
    return ReduceDataOptions().calcs(["lastNotNull"])
