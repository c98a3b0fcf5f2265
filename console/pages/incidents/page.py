"""The page: incidents by what was decided, and one of them from its first alert to its end."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from console.guard import guarded
from console.pages.incidents.decision import decision_facts
from console.pages.incidents.reading import (
    MOST_TOLD,
    SEARCHED,
    SHOWN,
    VERDICTS,
    Case,
    Spoken,
    Told,
    read_case,
    read_cases,
    read_incident,
    runs,
)
from console.parts.aria import aria
from console.parts.figures import count
from console.parts.panel import panel
from console.parts.state import nothing_yet
from console.parts.table import column, moment_column, table
from console.parts.when import moment
from console.site import Page, Site, Visit
from schemas.messages import DriftAlert, derived_id

SLUG = "incidents"


def layout(visit: Visit) -> Any:
    """The newest cases, or those that the address names: `verdict`, `before`, `incident`."""
    verdict, before = visit.query.get("verdict"), visit.query.get("before", "")
    found = read_cases(visit, verdict if verdict in VERDICTS else None, int(before) if before.isdecimal() else None)
    if not found:
        return [panel("What was decided?", nothing_yet(*_nothing(verdict)), aside=_ways(visit, verdict))]
    wanted, newest = visit.query.get("incident"), found[0].spoken[0].position
    return [
        panel("What was decided?", _list(found), _how_many(found, visit, verdict), aside=_ways(visit, verdict)),
        html.Div(guarded(SLUG, lambda: _incident(visit, wanted) if wanted else _case(visit, newest)),
                 id="incidents-case", **aria(live="polite")),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Choose a case."""

    @app.callback(Output("incidents-case", "children"), Input("incidents-table", "selectedRows"),
                  State("url", "pathname"), prevent_initial_call=True)
    def choose(selected: list[dict[str, Any]], path: str) -> Any:
        visit = site.visit(path)
        return guarded(SLUG, lambda: _case(visit, int(selected[0]["position"]))) if visit and selected else no_update


def _nothing(verdict: str | None) -> tuple[str, str]:
    if verdict is None:
        return "Nothing was decided yet", "Each alert, training and promotion leaves its decision here."
    return f"Nothing was {verdict}", "Choose another verdict."


def _ways(visit: Visit, verdict: str | None) -> dmc.Group:
    """To cases with one verdict."""
    ways = [dcc.Link("all", href=visit.link(SLUG), className="way", title="" if verdict else "shown")]
    ways += [dcc.Link(name, href=visit.link(SLUG, verdict=name), className="way",
                      title="shown" if name == verdict else "") for name in VERDICTS]
    return dmc.Group(ways, gap="xs")


def _list(found: list[Case]) -> Any:
    return table("incidents-table", "Incidents and other decisions, the newest first; choose one to see all of it", [
        moment_column("said", "Last word"), column("verdict", "Verdict", width=120),
        column("reason", "Reason", flex=1, minWidth=260), column("trigger", "Trigger", width=150),
        column("incident", "Incident", width=130), column("words", "Decisions", width=105, type="numericColumn"),
        column("version", "Version", width=100), column("by", "By", width=110),
    ], [_row(case) for case in found], select=True, key="position", shown=10)


def _row(case: Case) -> dict[str, Any]:
    last = case.spoken[0]
    version = next((one.decision.version for one in case.spoken if one.decision.version), None)
    return {"position": str(last.position), "said": last.said, "verdict": last.decision.verdict,
            "reason": last.decision.reason, "trigger": case.spoken[-1].decision.trigger,
            "incident": case.incident or "", "words": len(case.spoken), "version": version or "",
            "by": last.decision.by or ""}


def _how_many(found: list[Case], visit: Visit, verdict: str | None) -> html.P:
    """And the way to older ones."""
    decisions = [one for case in found for one in case.spoken]
    text = f"{count(len(found))} cases of {count(len(decisions))} decisions. "
    if len(decisions) < SHOWN:
        return html.P(text, className="note")
    if verdict:
        return html.P(f"{text}There may be older ones that were {verdict}.", className="note")
    older = visit.link(SLUG, before=min(one.position for one in decisions))
    return html.P([f"{text}What was said of an incident before these is not counted. ",
                   dcc.Link("Older ones", href=older, className="way")], className="note")


def _incident(visit: Visit, incident: str) -> Any:
    told = read_incident(visit, incident)
    if told is None:
        return nothing_yet(f"Incident {incident} is not among the newest",
                           f"The newest {count(SEARCHED)} decisions say nothing of it; go to older ones.")
    return _story(told, visit)


def _case(visit: Visit, position: int) -> Any:
    told = read_case(visit, position)
    if told is None:
        return nothing_yet("This decision is gone", "The record does not have it any more; choose another.")
    return _story(told, visit)


def _story(told: Told, visit: Visit) -> Any:
    """In order; of a run of alerts that joined only the last one has its words."""
    incident, together = told.spoken[0].decision.incident_id, list(runs(told.spoken))
    folded = {one.decision.decision_id for run in together for one in run[:-1]}
    said = [(at, _alert(at, alert, visit)) for at, alert in told.alerts
            if derived_id("alert", alert.alert_id) not in folded]
    said += [(run[-1].said, _run(run, visit) if len(run) > 1 else _spoken(run[0], visit)) for run in together]
    cut = [] if told.whole else [html.P(
        f"Not all of it is here: the page has the newest {count(MOST_TOLD)} decisions of an incident among the "
        f"{count(SEARCHED)} on either side, and its own of the newest {count(MOST_TOLD)} alerts.", className="note")]
    return panel(f"How did incident {incident} go?" if incident else "What was decided, and why?", *cut,
                 dmc.Timeline([item for _, item in sorted(said, key=lambda pair: pair[0])], bulletSize=14,
                              lineWidth=2))


def _run(run: Sequence[Spoken], visit: Visit) -> dmc.TimelineItem:
    return dmc.TimelineItem([
        html.P(f"{count(len(run))} alerts join the incident, one after another.", className="verdict"),
        html.P([moment(run[0].said, visit.zone), " to ", moment(run[-1].said, visit.zone)], className="note"),
    ], title=html.Span(run[0].decision.verdict, className="head head-decision"))


def _alert(said: int, alert: DriftAlert, visit: Visit) -> dmc.TimelineItem:
    window = dcc.Link("its window", href=visit.link("drift", window=alert.window_start))
    return dmc.TimelineItem([html.P(alert.sentence, className="verdict"),
                             html.P([moment(said, visit.zone), ", ", window], className="note")],
                            title=html.Span(f"{alert.kind} alert", className="head head-alert"))


def _spoken(one: Spoken, visit: Visit) -> dmc.TimelineItem:
    decision = one.decision
    kind = "head-model" if decision.verdict in {"promoted", "canary"} else "head-decision"
    return dmc.TimelineItem([
        html.P(decision.reason, className="verdict"), html.P(moment(one.said, visit.zone), className="note"),
        decision_facts(decision, visit),
    ], title=html.Span(decision.verdict, className=f"head {kind}"))


INCIDENTS = Page(slug=SLUG, title="Incidents", layout=layout, callbacks=callbacks)
