"""The page: what is in force, what would change, and what was."""

import difflib
import tempfile
from pathlib import Path
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from console.guard import guarded
from console.orders import Outcome
from console.pages.configuration.draft import Draft, changed, judge, live_keys
from console.pages.configuration.form import form
from console.pages.configuration.preview import compared, try_on_history
from console.pages.configuration.reading import InForce, changes_of, read_in_force
from console.parts.aria import aria
from console.parts.confirm import DONE_COLOUR, Action, by
from console.parts.panel import facts, panel
from console.parts.state import nothing_yet, state
from console.parts.table import column, moment_column, table
from console.parts.when import moment
from console.site import Page, Site, Visit
from schemas.pipeline import PipelineError, parse_pipeline

SLUG = "configuration"
PREVIEW_ROWS = 2_000
MOST_VERSIONS = 100  # shown
FIELD = {"type": "configuration-key", "table": ALL, "name": ALL}


def layout(visit: Visit) -> Any:
    """The page as it is now; a version that is applied makes it anew."""
    return html.Div([html.Div(body(visit), id="configuration-body", className="stack"), APPLY.dialog()])


def body(visit: Visit) -> list[Any]:
    """Everything but the question before a change."""
    found = read_in_force(visit)
    tried = dcc.Loading(html.Div(id="configuration-previewed"), type="dot")
    return [
        dcc.Store(id="configuration-base", data={"text": found.text, "version": found.version}),
        panel("What is in force?", _in_force(found, visit)),
        panel("What shall change?", form(found)),
        panel("What would become of it?",
              html.Div(_judged(Draft(text=found.text)), id="configuration-judged", **aria(live="polite")),
              dmc.Group([dmc.Button(f"Preview on the last {PREVIEW_ROWS:,} events", id="configuration-preview",
                                    variant="default"), APPLY.button()], mt="sm"), tried),
        panel("What was in force?", _history(found), html.Div(id="configuration-version")),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Judge what is written, try it, apply it."""
    APPLY.callbacks(app, site)

    @app.callback(Output("configuration-judged", "children"), Output("configuration-text", "value"),
                  Output(FIELD, "value"), Input(FIELD, "value"), Input("configuration-text", "value"),
                  State(FIELD, "id"), State("configuration-base", "data"), prevent_initial_call=True)
    def write(values: list[str], text: str, ids: list[dict[str, str]], base: dict[str, Any]) -> tuple[Any, Any, Any]:
        field, kept = ctx.triggered_id, [no_update] * len(ids)
        if not isinstance(field, dict):
            return _judged(_draft(base, text)), no_update, _values(text, ids) or kept
        draft = _changed(base, text, field, values[ids.index(field)])
        return _judged(draft), draft.text, kept

    @app.callback(Output("configuration-previewed", "children"), Input("configuration-preview", "n_clicks"),
                  State("configuration-text", "value"), State("configuration-base", "data"), State("url", "pathname"),
                  prevent_initial_call=True, running=[(Output("configuration-preview", "disabled"), True, False)])
    def preview(clicks: int | None, text: str, base: dict[str, Any], path: str) -> Any:
        visit, draft = site.visit(path), _draft(base, text)
        if not clicks or visit is None:
            return no_update
        if draft.problem:
            return state("broken", "Not previewed", draft.problem)
        return guarded(SLUG, lambda: compared(try_on_history(visit, base["text"], text, PREVIEW_ROWS), visit.stated()))

    @app.callback(Output("configuration-body", "children"), Input("configuration-apply-said", "children"),
                  State("url", "pathname"), prevent_initial_call=True)
    def anew(answer: Any, path: str) -> Any:
        visit = site.visit(path)
        applied = answer and answer["props"].get("color") == DONE_COLOUR
        return guarded(SLUG, lambda: body(visit)) if visit is not None and applied else no_update

    @app.callback(Output("configuration-version", "children"), Input("configuration-versions", "selectedRows"),
                  prevent_initial_call=True)
    def version(selected: list[dict[str, Any]]) -> Any:
        return html.Pre(selected[0]["difference"], className="code", tabIndex=0) if selected else no_update


def apply(visit: Visit, reason: str, text: str, base: dict[str, Any]) -> Outcome:
    """Publish the text as the version after the one that it was made from."""
    draft = _draft(base, text)
    if draft.problem:
        return Outcome(done=False, said=draft.problem)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / f"{visit.name}.toml"
        file.write_text(text, "utf-8")
        return visit.site.orders.run("apply", str(file), "--replaces", str(base["version"]), *by(visit, reason))


APPLY = Action(
    name="configuration-apply", label="Apply", question="Apply this definition?",
    explanation="It becomes the newest version on record. Running services take what they can within seconds, the "
                "rest with their next start. It can be undone by applying the version before it.",
    act=apply, states=(State("configuration-text", "value"), State("configuration-base", "data")))


def _draft(base: dict[str, Any], text: str) -> Draft:
    return judge(text, parse_pipeline(base["text"], "the definition in force"), published=base["version"] >= 0)


def _changed(base: dict[str, Any], text: str, field: dict[str, str], value: str) -> Draft:
    """One value into the text."""
    now = parse_pipeline(base["text"], "the definition in force")
    try:
        return _draft(base, changed(text, now, (field["table"], field["name"]), value))
    except PipelineError as error:
        return Draft(text=text, problem=str(error))


def _values(text: str, ids: list[dict[str, str]]) -> list[str] | None:
    """What the fields show of a text; None where it cannot be read."""
    try:
        keys = live_keys(parse_pipeline(text, "the definition"))
    except PipelineError:
        return None
    values = {(key.table, key.name): key.text for key in keys}
    return [values[field["table"], field["name"]] for field in ids]


def _in_force(found: InForce, visit: Visit) -> Any:
    if not found.versions:
        return facts(("Version", "none: the services go by the file that they were given"),
                     ("File", html.Code(str(visit.file))))
    written = found.versions[-1].configuration
    return facts(("Version", str(found.version)), ("Applied", moment(written.issued_at, visit.zone)),
                 ("By", written.by), ("Reason", written.reason or "-"))


def _judged(draft: Draft) -> Any:
    if draft.problem:
        return state("broken", "This would be refused", draft.problem)
    if not draft.effects:
        return nothing_yet("No change", "Change a value above: here it says who takes it, and when.")
    return html.Ul([html.Li(effect) for effect in draft.effects], className="effects")


def _history(found: InForce) -> Any:
    if not found.versions:
        return nothing_yet("No version yet", "The first one that is applied stands here, with who, when and why.")
    rows = [{"version": str(version.offset), "at": version.configuration.issued_at, "by": version.configuration.by,
             "reason": version.configuration.reason, "changes": "; ".join(changes_of(found.versions, place)),
             "difference": _difference(found, place)}
            for place, version in list(enumerate(found.versions))[-MOST_VERSIONS:]][::-1]
    return table("configuration-versions", "Versions, the newest first; choose one to see what it changed", [
        column("version", "Version", width=100), moment_column("at", "Applied"), column("by", "By", width=140),
        column("reason", "Reason", flex=1, minWidth=160), column("changes", "Changed", flex=2, minWidth=220),
    ], rows, select=True, key="version", shown=8)


def _difference(found: InForce, place: int) -> str:
    """The lines that a version changed."""
    before = found.versions[place - 1].configuration.text if place else ""
    lines = difflib.unified_diff(before.splitlines(), found.versions[place].configuration.text.splitlines(),
                                 "before", f"version {found.versions[place].offset}", lineterm="", n=2)
    return "\n".join(lines) or "the same text"


CONFIGURATION = Page(slug=SLUG, title="Configuration", layout=layout, callbacks=callbacks)
