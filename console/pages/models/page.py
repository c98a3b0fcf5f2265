"""The page: who serves, the lineage, one announcement of it, and the word to the trainer."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from console.guard import guarded
from console.pages.incidents.decision import decision_facts
from console.pages.models.orders import ORDERS, PROMOTE
from console.pages.models.reading import Line, Lineage, read_lineage
from console.parts.aria import aria
from console.parts.figures import UNKNOWN, count, figure, share
from console.parts.panel import facts, figure_tile, panel
from console.parts.state import nothing_yet
from console.parts.table import column, moment_column, table
from console.parts.when import moment
from console.site import Page, Site, Visit
from schemas.messages import Quality

SLUG = "models"
REFRESH_MS = 3_000
RENEWED = "profile"  # the reason of an announcement that has a new reference, and no other model


def layout(visit: Visit) -> Any:
    """The page as it is now, and what keeps it so."""
    found = read_lineage(visit)
    return [
        html.Div(_now(found, visit), id="models-now"),
        panel("What shall the trainer do?", dmc.Group([action.button() for action in ORDERS], gap="sm"),
              *[action.dialog() for action in ORDERS]),
        panel("Which version replaced which, and why?", _lineage(found),
              dmc.Group([dmc.NumberInput(id="models-share", label="Share of the entities for a canary, %", min=0.1,
                                         max=99.9, w=260, hideControls=True, placeholder="all at once"),
                         PROMOTE.button()], align="end", mt="sm"), PROMOTE.dialog()),
        html.Div(nothing_yet("No version is chosen", "Choose a line of the table: it says what the version was fitted "
                             "on, and what it had to show."), id="models-detail", **aria(live="polite")),
        panel("What was ordered, and by whom?", html.Div(_orders(found), id="models-orders")),
        dcc.Store(id="models-answered", data=_answered(found)),
        dcc.Interval(id="models-tick", interval=REFRESH_MS),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Keep it live, show a line, give orders."""
    for action in (*ORDERS, PROMOTE):
        action.callbacks(app, site)

    @app.callback(Output("models-now", "children"), Output("models-table", "rowData"),
                  Output("models-orders", "children"), Output("models-answered", "data"),
                  Input("models-tick", "n_intervals"), State("models-answered", "data"), State("url", "pathname"),
                  prevent_initial_call=True)
    def again(_: int, answered: list[str], path: str) -> Any:
        visit = site.visit(path)
        if visit is None:
            return no_update, no_update, no_update, no_update
        shown = guarded(SLUG, lambda: _anew(visit, answered))
        return shown if isinstance(shown, tuple) else (shown, no_update, no_update, no_update)

    @app.callback(Output("models-detail", "children"), Input("models-table", "selectedRows"),
                  State("url", "pathname"), prevent_initial_call=True)
    def detail(selected: list[dict[str, Any]], path: str) -> Any:
        visit = site.visit(path)
        return guarded(SLUG, lambda: _detail(visit, int(selected[0]["epoch"]))) if visit and selected else no_update


def _anew(visit: Visit, answered: list[str]) -> tuple[Any, ...]:
    """Everything that is live; the orders stay as they are, scrolled as they are, while nothing is new of them."""
    found = read_lineage(visit)
    orders = no_update if answered == _answered(found) else _orders(found)
    return _now(found, visit), _rows(found), orders, _answered(found)


def _answered(found: Lineage) -> list[str]:
    return [f"{order.command.command_id} {order.answer is not None}" for order in found.orders]


def _now(found: Lineage, visit: Visit) -> Any:
    if found.serving is None:
        return nothing_yet("No model yet", "automl-stream bootstrap makes the first one from labelled rows.")
    champion, canary = found.serving.champion.announcement, found.serving.canary
    live = found.qualities.get(champion.version)
    return html.Div([
        figure_tile("Champion", f"version {champion.version}", ["since ", moment(champion.issued_at, visit.zone)]),
        figure_tile("Canary", f"version {canary.announcement.version}" if canary else "none",
                    f"for {share(canary.announcement.share)} of the entities" if canary else None),
        figure_tile("Live quality", _quality(live), f"on the last {count(live.rows)} labels" if live else
                    "no labels of its answers judged yet"),
        figure_tile("Training", "paused" if found.paused else "by itself", found.paused,
                    tone="bad" if found.paused else None),
    ], className="tiles")


def _lineage(found: Lineage) -> Any:
    return table("models-table", "Announcements, the newest first; choose one to see all of it", [
        column("version", "Version", width=110), column("state", "Now", width=90),
        moment_column("announced", "Announced"), column("slot", "Slot", width=130),
        column("before", "After version", width=120), column("why", "Why", flex=1, minWidth=200),
        column("by", "By", width=110), column("loss", "Loss at the gate", width=120, type="numericColumn"),
        column("beaten", "Champion's", width=120, type="numericColumn"),
        column("live", "Live", width=160),
    ], _rows(found), select=True, key="epoch", shown=10)


def _rows(found: Lineage) -> list[dict[str, Any]]:
    return [_row(line, found.qualities) for line in found.lines]


def _row(line: Line, qualities: Any) -> dict[str, Any]:
    announcement, gate = line.accepted.announcement, line.decision.gate if line.decision else None
    return {
        "epoch": str(line.accepted.epoch), "version": announcement.version, "state": "serves" if line.serves else "",
        "announced": announcement.issued_at, "before": line.before or "", "by": line.by,
        "slot": "champion" if announcement.slot == "champion" else f"canary, {share(announcement.share)}",
        "why": _why(announcement.reason), "live": _quality(qualities.get(announcement.version)),
        "loss": figure(gate.candidate_loss, 4) if gate else "", "beaten": figure(gate.champion_loss, 4) if gate else ""}


def _why(reason: str) -> str:
    return "new reference profile" if reason == RENEWED else reason


def _quality(live: Quality | None) -> str:
    if live is None:
        return UNKNOWN
    return f"error {figure(live.mae)}" if live.accuracy is None else f"accuracy {share(live.accuracy)}"


def _detail(visit: Visit, epoch: int) -> Any:
    line = next((line for line in read_lineage(visit).lines if line.accepted.epoch == epoch), None)
    if line is None:
        return nothing_yet("This announcement is not among the newest any more", "automl-stream models show has it.")
    announcement = line.accepted.announcement
    told = [] if line.decision is None else [decision_facts(line.decision, visit)]
    return panel(
        f"How did version {announcement.version} come to serve?",
        facts(("Announced", moment(announcement.issued_at, visit.zone)), ("Epoch", str(epoch)),
              ("After version", line.before or "none: it was the first"), ("Why", _why(announcement.reason)),
              ("By", line.by), ("Model", html.Code(announcement.model.digest[:12], title=announcement.model.digest)),
              ("Reference", html.Code(announcement.profile.digest[:12], title=announcement.profile.digest))), *told)


def _orders(found: Lineage) -> Any:
    if not found.orders:
        return nothing_yet("Nobody has ordered anything", "What an operator tells the trainer stands here, with who, "
                           "when and why, and with its answer.")
    rows = [{"id": order.command.command_id, "said": order.said, "by": order.command.by,
             "action": " ".join(filter(None, (order.command.action, order.command.version))),
             "reason": order.command.reason,
             "answer": f"{order.answer.verdict}: {order.answer.reason}" if order.answer else "none yet"}
            for order in found.orders]
    return table("models-ordered", "Orders, the newest first", [
        moment_column("said", "When"), column("by", "By", width=130), column("action", "Order", width=140),
        column("reason", "Reason", flex=1, minWidth=160), column("answer", "Answer", flex=1, minWidth=200),
    ], rows, key="id", shown=6)


MODELS = Page(slug=SLUG, title="Models", layout=layout, callbacks=callbacks)
