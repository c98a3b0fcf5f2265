"""The page: the map, one window, one feature of it."""

from html import unescape
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from console.guard import guarded
from console.pages.drift.distribution import distribution, history
from console.pages.drift.heat import heat_map, key, labels
from console.pages.drift.reading import (
    DEFAULT,
    FEWEST,
    MOST,
    DriftMap,
    Judged,
    read_feature,
    read_map,
    read_place,
    read_report,
)
from console.pages.drift.words import sentence
from console.parts.figures import count, figure, share
from console.parts.panel import facts, panel
from console.parts.state import nothing_yet
from console.parts.table import column, table
from console.parts.when import moment
from console.site import Page, Site, Visit
from schemas.messages import DriftReport

SLUG = "drift"
SPANS = (30, DEFAULT, 120, MOST)


def layout(visit: Visit) -> Any:
    """The map of the newest windows, or of those that the address names: `last`, `before`, `window` (the last one, and
    chosen), `feature`."""
    found = _asked_map(visit)
    if not found.windows:
        return nothing_yet("No window has closed yet", "A window closes when every partition has passed its end; the "
                           "overview shows whether events come.")
    chosen = _chosen_window(found, visit.query.get("window"))
    if chosen is None:
        return [panel("What has changed, and when?", _gone(), aside=_ways(found, visit))]
    feature = visit.query.get("feature") or found.names[0]
    return [
        panel("What has changed, and when?", heat_map(found, visit.zone), key(), aside=_ways(found, visit)),
        dcc.Store(id="drift-feature", data=feature),
        panel("What does a window say?",
              dmc.Select(id="drift-window", label="Window", data=_choices(found, visit), value=str(chosen),
                         searchable=True, allowDeselect=False, maw=420, mb="sm"),
              html.Div(guarded(SLUG, lambda: _window(visit, chosen)), id="drift-report")),
        html.Div(guarded(SLUG, lambda: _feature(visit, found, chosen, feature)), id="drift-detail"),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Choose a window and a feature, in the map or in the table."""

    @app.callback(Output("drift-window", "value"), Output("drift-feature", "data"), Input("drift-heat", "clickData"),
                  Input("drift-table", "selectedRows"), State("drift-window", "data"), prevent_initial_call=True)
    def choose(click: Any, selected: Any, windows: list[dict[str, str]]) -> tuple[Any, Any]:
        if ctx.triggered_id == "drift-table":
            return no_update, selected[0]["name"] if selected else no_update
        if not click:
            return no_update, no_update
        point = click["points"][0]
        position = next(window["value"] for window in windows if window["label"].startswith(point["x"]))
        return position, unescape(point["y"])

    @app.callback(Output("drift-report", "children"), Input("drift-window", "value"), State("url", "pathname"),
                  prevent_initial_call=True)
    def report(position: str, path: str) -> Any:
        visit = site.visit(path)
        return no_update if visit is None else guarded(SLUG, lambda: _window(visit, int(position)))

    @app.callback(Output("drift-detail", "children"), Input("drift-window", "value"), Input("drift-feature", "data"),
                  State("url", "pathname"), State("url", "search"), prevent_initial_call=True)
    def detail(position: str, name: str, path: str, search: str) -> Any:
        visit = site.visit(path, search)
        return no_update if visit is None else guarded(
            SLUG, lambda: _feature(visit, _asked_map(visit), int(position), name))


def _asked_map(visit: Visit) -> DriftMap:
    """Of the windows up to the one that is asked for, wherever that is."""
    last, before, window = (visit.query.get(name, "") for name in ("last", "before", "window"))
    place = read_place(visit, window) if window and not before else None
    return read_map(visit, min(MOST, max(FEWEST, int(last))) if last.isdecimal() else DEFAULT,
                    place + 1 if place is not None else int(before) if before.isdecimal() else None)


def _chosen_window(found: DriftMap, asked: str | None) -> int | None:
    """The window that starts at the asked time, None where it is gone; else the newest in alarm, else the newest."""
    if asked:
        return next((w.position for w in found.windows if str(w.window_start) == asked), None)
    alarmed = [w for w in found.windows if w.alarm]
    return (alarmed or found.windows)[-1].position


def _choices(found: DriftMap, visit: Visit) -> list[dict[str, str]]:
    """The newest first."""
    return [{"value": str(window.position),
             "label": label + (" - alarm" if window.alarm else "")}
            for label, window in reversed(list(zip(labels(found, visit.zone), found.windows, strict=True)))]


def _ways(found: DriftMap, visit: Visit) -> dmc.Group:
    """To other windows."""
    last = min(SPANS, key=lambda span: abs(span - len(found.windows)))
    ways = [dcc.Link(f"{span} windows", href=visit.link(SLUG, last=span), className="way",
                     title="shown" if span == last else "") for span in SPANS]
    if found.older:
        ways.append(dcc.Link("older", href=visit.link(SLUG, last=last, before=found.windows[0].position),
                             className="way"))
    return dmc.Group([*ways, dcc.Link("newest", href=visit.link(SLUG), className="way")], gap="xs")


def _window(visit: Visit, position: int) -> Any:
    report = read_report(visit, position)
    if report is None:
        return _gone()
    spoken = dmc.Alert(report.verdict, color="red" if report.alarm else "gray", variant="light", mb="sm",
                       title="Alarm" if report.alarm else "No alarm")
    return [spoken, _window_facts(visit, report), _features(report)]


def _gone() -> Any:
    return nothing_yet("This window is gone", "Its report is older than what the record keeps.")


def _window_facts(visit: Visit, report: DriftReport) -> html.Dl:
    onset = [] if report.onset is None else [("The change began", moment(report.onset, visit.zone))]
    return facts(("Window", [moment(report.window_start, visit.zone), " to ", moment(report.window_end, visit.zone)]),
                 ("Rows", count(report.rows)), *onset,
                 ("Reference", html.Code(report.profile[:12], title=report.profile)),
                 ("Definition", "its file" if report.config < 0 else f"version {report.config}"))


def _features(report: DriftReport) -> html.Div:
    rows = [{"name": f.name, "verdict": "alarm" if f.alarm else "uncalibrated" if not f.calibrated else "",
             "log_p": round(f.log_p, 2), "effect": round(f.effect, 3), "lower_bound": round(f.lower_bound, 3),
             "scale": f.scale, "missing": share(f.missing), "psi": figure(f.psi), "ks": figure(f.ks)}
            for f in report.features]
    columns = [
        column("name", "Feature", minWidth=150, flex=2, filter=True), column("verdict", "Verdict", width=120),
        column("log_p", "Evidence (ln p)", width=120, type="numericColumn"),
        column("effect", "Effect", width=100, type="numericColumn"),
        column("lower_bound", "At least", width=100, type="numericColumn"),
        column("scale", "Windows", width=100, type="numericColumn"),
        column("missing", "Missing", width=100, type="numericColumn"),
        column("psi", "PSI", width=90, type="numericColumn"), column("ks", "KS", width=90, type="numericColumn"),
    ]
    return table("drift-table", "Features of this window, the strongest evidence first", columns, rows, select=True,
                 key="name", shown=8)


def _feature(visit: Visit, found: DriftMap, position: int, name: str) -> Any:
    judged = read_feature(visit, position, name)
    if judged is None:
        return nothing_yet(f"{name} is not in this window", "Choose another feature in the map or in the table.")
    return dmc.SimpleGrid([
        panel(f"How is {name} distributed?", html.P(sentence(judged.feature, judged.threshold), className="verdict"),
              distribution(judged)),
        panel(f"How did {name} get there?", history(found, name, visit.zone), _feature_facts(judged)),
    ], cols={"base": 1, "lg": 2}, spacing="md")


def _feature_facts(judged: Judged) -> html.Dl:
    f = judged.feature
    return facts(
        ("Evidence", f"{figure(f.log_p / judged.threshold)} of the threshold"),
        ("ln p", f"{figure(f.log_p)}; significant below {figure(judged.threshold)}"),
        ("Effect", f"{f.effect:+.3f}, at least {f.lower_bound:.3f} in size"), ("Rows", count(f.rows)),
        ("Missing", share(f.missing)), ("Shift of the mean", figure(f.mean_shift)),
        ("Shift of the spread", figure(f.spread_shift)), ("KS", figure(f.ks)), ("PSI", figure(f.psi)),
        ("Jensen-Shannon", figure(f.jensen_shannon)), ("Wasserstein", figure(f.wasserstein)))


DRIFT = Page(slug=SLUG, title="Drift", layout=layout, callbacks=callbacks)
