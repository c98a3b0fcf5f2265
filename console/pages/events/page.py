"""The page: a search, what it found, and why one of these was said."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
import msgspec
from dash import Dash, Input, Output, State, dcc, html, no_update

from console.guard import guarded
from console.pages.events.reading import SHOWN, Explanation, Maker, Said, search
from console.pages.incidents.decision import gate_words, recipe_words
from console.parts.aria import aria
from console.parts.confirm import said
from console.parts.figures import count, figure
from console.parts.panel import facts, panel
from console.parts.state import nothing_yet
from console.parts.table import column, moment_column, table
from console.parts.when import moment
from console.site import Page, Site, Visit

SLUG = "events"


def layout(visit: Visit) -> Any:
    """What was found of `event` and `entity` of the address."""
    event, entity = visit.query.get("event", ""), visit.query.get("entity", "")
    form = dmc.Group([
        dmc.TextInput(id="events-event", label="Event id", value=event, n_submit=0, w={"base": "100%", "sm": 260}),
        dmc.TextInput(id="events-entity", label="Entity", value=entity, n_submit=0, w={"base": "100%", "sm": 260}),
        dmc.Button("Search", id="events-search"),
    ], align="end")
    return [
        panel("Which event?", form, html.P("With its entity an event is found at once; by its id alone every stored "
                                           "prediction is looked at.", className="note")),
        panel("What was said?", html.Div(guarded(SLUG, lambda: _found(visit, event, entity)))),
        dcc.Loading(html.Div(nothing_yet("No prediction is chosen", "Choose one in the table to see why it was made."),
                             id="events-explained", **aria(live="polite")), type="dot"),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Search, and explain what is chosen."""

    @app.callback(Output("url", "search"), Input("events-search", "n_clicks"), Input("events-event", "n_submit"),
                  Input("events-entity", "n_submit"), State("events-event", "value"), State("events-entity", "value"),
                  prevent_initial_call=True)
    def ask(clicks: int | None, event_entered: int, entity_entered: int, event: str, entity: str) -> Any:
        if not (clicks or event_entered or entity_entered):  # the page has just come
            return no_update
        asked = {"event": event.strip(), "entity": entity.strip()}
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    @app.callback(Output("events-explained", "children"), Input("events-table", "selectedRows"),
                  State("url", "pathname"), prevent_initial_call=True)
    def explain(selected: list[dict[str, Any]], path: str) -> Any:
        visit = site.visit(path)
        if visit is None or not selected:
            return no_update
        return guarded(SLUG, lambda: _explained(visit, selected[0]["event_id"], selected[0]["entity"]))


def _found(visit: Visit, event: str, entity: str) -> Any:
    found = search(visit, event, entity)
    if not found and (event or entity):
        return nothing_yet("No such prediction", "It may be a dead letter, or retention or an erasure may have removed "
                           "it; the recorder may also be behind.")
    if not found:
        return nothing_yet("Nothing was predicted yet", "The overview shows whether events come.")
    asked = "Some of the newest day; search for the one you mean."
    if event or entity:
        asked = f"The newest {SHOWN}; there may be more." if len(found) == SHOWN else f"{count(len(found))} found."
    return html.Div([_table(found), html.P(asked, className="note")])


def _table(found: Sequence[Said]) -> Any:
    rows = [{"place": str(place), "event_id": one.event_id, "entity": one.entity, "ts": one.ts,
             "label": one.label or "", "prediction": one.prediction, "score": figure(one.score, 4),
             "version": one.model_version, "scored_at": one.scored_at} for place, one in enumerate(found)]
    return table("events-table", "Predictions; choose one to have it explained", [
        column("event_id", "Event", flex=1, minWidth=150), column("entity", "Entity", flex=1, minWidth=130),
        moment_column("ts", "Time of the event"), column("prediction", "Prediction", width=120),
        column("score", "Score", width=100, type="numericColumn"), column("label", "Label", width=100),
        column("version", "Version", width=100), moment_column("scored_at", "Predicted"),
    ], rows, select=True, key="place", shown=10)


def _explained(visit: Visit, event: str, entity: str) -> Any:
    outcome = visit.site.orders.run("audit", "explain", str(visit.file), "--entity", entity, "--", event)
    if not outcome.done:
        return said("Explain", outcome)
    found = msgspec.convert(outcome.document, Explanation)
    note = "" if found.same_definition else "The definition has changed since: features have no names here."
    return dmc.SimpleGrid([
        panel(f"Who said it of {event}?", _maker(found.maker, visit), _since(found, visit)),
        panel("From what?", html.P(note, className="note"),
              facts(*((name, "missing" if value is None else str(value)) for name, value in found.features.items()))),
    ], cols={"base": 1, "lg": 2}, spacing="md")


def _maker(maker: Maker | None, visit: Visit) -> Any:
    if maker is None:
        return nothing_yet("The model is not on record", "Its announcement is not in the audit.")
    made = [] if maker.recipe is None else [("Recipe", recipe_words(maker.recipe))]
    shown = [] if maker.gate is None else [("Gate", gate_words(maker.gate))]
    return facts(("Model", dcc.Link(f"version {maker.version}", href=visit.link("models"))),
                 ("Epoch", f"{maker.epoch}, {maker.slot}"), ("Announced", moment(maker.announced, visit.zone)),
                 ("Why", maker.reason), ("By", maker.by), *made, *shown,
                 ("SHA-256", html.Code(maker.digest[:12], title=maker.digest)))


def _since(found: Explanation, visit: Visit) -> Any:
    """Alerts after it was said."""
    alerts = [html.Li([moment(alert.window_end, visit.zone),
                       html.Span(f"{alert.kind} alert", className="head head-alert"), html.Span(alert.sentence)])
              for alert in reversed(found.newest_alerts)]
    more = f", in {count(found.deliveries)} deliveries of the event" if found.deliveries > 1 else ""
    return html.Div([html.P(f"{count(found.alerts_since)} alerts since{more}", className="note"),
                     html.Ul(alerts, className="words")])


EVENTS = Page(slug=SLUG, title="Events", layout=layout, callbacks=callbacks)
