"""The page."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from console.guard import guarded
from console.pages.overview.loop import lag_tone, picture
from console.pages.overview.reading import Overview, look
from console.parts.figures import UNKNOWN, count, figure, rate, share
from console.parts.panel import figure_tile, panel
from console.parts.state import nothing_yet, state
from console.parts.when import moment
from console.site import Page, Site, Visit
from schemas.topics import EVENTS

REFRESH_MS = 3_000
SLUG = "overview"


def layout(visit: Visit) -> Any:
    """The page as it is now, and what keeps it so."""
    return [html.Div(content(visit), id="overview"), dcc.Interval(id="overview-tick", interval=REFRESH_MS)]


def content(visit: Visit) -> list[Any]:
    """Figures, picture, what was said."""
    found = look(visit)
    stale = [] if found.pulse.fresh else [state(
        "away", "Kafka has not answered for a while", "Rates and what waits are as they were seen last.")]
    return [
        *stale,
        html.Div(_tiles(found, visit), className="tiles"),
        panel("Does the loop turn?", picture(found, visit)),
        dmc.SimpleGrid([panel("How fast do events come?", _pace(found)),
                        panel("What was said last?", _words(found, visit))], cols={"base": 1, "lg": 2}, spacing="md"),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Look again every few seconds."""

    @app.callback(Output("overview", "children"), Input("overview-tick", "n_intervals"), State("url", "pathname"),
                  prevent_initial_call=True)
    def again(_: int, path: str) -> Any:
        visit = site.visit(path)
        return no_update if visit is None else guarded(SLUG, lambda: content(visit))


def _tiles(found: Overview, visit: Visit) -> list[Any]:
    pulse = found.pulse
    waiting = pulse.lags.get("score")
    return [
        figure_tile("Events", rate(pulse.rates.get(EVENTS.name)), f"{count(pulse.ends.get(EVENTS.name))} records"),
        figure_tile("Waiting to be scored", count(waiting), "events", tone=lag_tone(pulse, "score", EVENTS.name)),
        figure_tile("Windows with an alert", count(found.alerts), f"of {count(found.windows)} judged",
                    href=visit.link("incidents")),
        budget_tile(found, visit),
        _model_tile(found, visit),
        _quality_tile(found),
    ]


def budget_tile(found: Overview, visit: Visit) -> Any:
    """What the alerts beside it are to be compared with: it grows with the windows, whether anything alarms or not."""
    return figure_tile("False alarms allowed so far", figure(found.windows / found.budget_windows, 2),
                       str(found.pipeline.drift.false_alarms), href=visit.link("configuration"))


def _model_tile(found: Overview, visit: Visit) -> Any:
    if found.champion is None:
        return figure_tile("Model", "none yet", "automl-stream bootstrap makes one", tone="watch")
    return figure_tile("Model", f"version {found.champion.announcement.version}",
                       ["since ", moment(found.champion.announcement.issued_at, visit.zone)],
                       href=visit.link("models"))


def _quality_tile(found: Overview) -> Any:
    if found.quality is None:
        return figure_tile("Live quality", UNKNOWN, "no labels judged yet")
    live = found.quality.qualities[0]
    rows = f"on the last {count(live.rows)} labels"
    if live.accuracy is not None:
        return figure_tile("Accuracy", share(live.accuracy), rows)
    return figure_tile("Mean absolute error", figure(live.mae), rows)


def _pace(found: Overview) -> Any:
    history = list(found.pulse.history)
    if len(history) < 2:  # noqa: PLR2004 - one point is no line
        return nothing_yet("Nothing measured yet", "Rates come a few seconds after the console has started.")
    return html.Div([
        dmc.Sparkline(data=[round(value, 1) for value in history], h=90, w="100%", color="indigo", fillOpacity=0.25,
                      curveType="linear", strokeWidth=2),
        html.P(f"{rate(history[-1])} now; between {rate(min(history))} and {rate(max(history))} in the last "
               f"{max(1, len(history) * 2 // 60)} min", className="note")])


def _words(found: Overview, visit: Visit) -> Any:
    if not found.words:
        return nothing_yet("Nothing yet", "Alerts, decisions and new models stand here as they come.")
    return html.Ul([html.Li([
        moment(word.said, visit.zone), html.Span(word.head, className=f"head head-{word.kind}"),
        html.Span(word.text)]) for word in found.words], className="words")


OVERVIEW = Page(slug=SLUG, title="Overview", layout=layout, callbacks=callbacks)
