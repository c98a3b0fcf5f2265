"""The application: the frame around pages, which page an address shows, and what stands there when it cannot."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
import structlog
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from flask import Flask

from console.entry import Entry
from console.guard import guarded
from console.metrics import METRICS
from console.parts.aria import aria
from console.parts.state import nothing_yet, state
from console.site import Page, Site, Visit
from doors.tokens import Tokens

NARROW = "sm"
INDEX = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" href="/assets/favicon.svg">
{%css%}
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>"""

log = structlog.get_logger()


def build(site: Site, pages: Sequence[Page], tokens: Tokens) -> Flask:
    """The console as a WSGI application."""
    server = Flask("console")
    entry = Entry(server, tokens)
    app = Dash("console", server=server, title="automl-stream", update_title="", index_string=INDEX,  # type: ignore[arg-type]
               suppress_callback_exceptions=True, on_error=_defect, assets_ignore=r"login\.css",
               meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}])
    app.layout = lambda: _frame(site, named=bool(tokens))
    _route(app, site, pages)
    for page in pages:
        page.callbacks(app, site)
    app.setup_startup_routes()
    entry.allow_scripts(list(app.csp_hashes()))
    return server


def _frame(site: Site, *, named: bool) -> dmc.MantineProvider:
    names = list(site.pipelines)
    chosen = dmc.Select(id="pipeline", data=names, allowDeselect=False, w={"base": "100%", NARROW: 220}, size="sm",
                        attributes={"input": {"aria-label": "Pipeline"}})
    leave = html.Form(html.Button("Log out", type="submit", className="leave"), action="/logout", method="POST")
    header = dmc.Group([
        dmc.Burger(id="burger", size="sm", hiddenFrom=NARROW, attributes={"root": {"aria-label": "Pages"}}),
        dcc.Link("automl-stream", href="/", className="brand"), chosen, html.Div(className="grow"),
        dmc.ColorSchemeToggle(lightIcon="☀", darkIcon="☾", **aria(label="Dark or light")),
        *([leave] if named else [])], h="100%", px="md", wrap="nowrap", gap="sm")
    return dmc.MantineProvider([
        dcc.Location(id="url", refresh="callback-nav"),
        html.A("Skip to the content", href="#content", className="skip"),
        html.Div(id="titled", hidden=True),
        dmc.AppShell([
            dmc.AppShellHeader(header),
            dmc.AppShellNavbar(html.Div(id="navigation"), p="sm", **aria(label="Pages")),
            dmc.AppShellMain(html.Div(id="content", tabIndex=-1)),
        ], id="shell", header={"height": 56}, padding={"base": "sm", NARROW: "lg"},
            navbar={"width": 220, "breakpoint": NARROW, "collapsed": {"mobile": True}}),
    ], defaultColorScheme="auto", theme={"primaryColor": "indigo", "primaryShade": {"light": 8, "dark": 8}})


def _route(app: Dash, site: Site, pages: Sequence[Page]) -> None:
    by_slug = {page.slug: page for page in pages}

    @app.callback(Output("content", "children"), Output("navigation", "children"), Output("pipeline", "value"),
                  Input("url", "pathname"), Input("url", "search"))
    def show(path: str, search: str) -> tuple[Any, Any, str | None]:
        if not site.pipelines:
            return nothing_yet("No pipeline runs here", "Start one: automl-stream up pipelines/payments.toml"), [], None
        visit = site.visit(path if path.strip("/") else next(iter(site.pipelines)), search)
        slug = path.strip("/").partition("/")[2] or pages[0].slug
        if visit is None or slug not in by_slug:
            first = next(iter(site.pipelines))
            return (state("broken", "There is no such page", dcc.Link("To the overview", href=f"/{first}")),
                    _links(first, pages, ""), first)
        return _shown(by_slug[slug], visit), _links(visit.name, pages, slug), visit.name

    @app.callback(Output("url", "pathname"), Input("pipeline", "value"), State("url", "pathname"),
                  prevent_initial_call=True)
    def choose(name: str, path: str) -> Any:
        shown, _, slug = path.strip("/").partition("/")
        return no_update if name == shown or not shown else f"/{name}/{slug or pages[0].slug}"

    app.clientside_callback(ClientsideFunction("console", "toggle"), Output("shell", "navbar"),
                            Input("burger", "opened"), Input("url", "pathname"), State("shell", "navbar"))
    app.clientside_callback(ClientsideFunction("console", "title"), Output("titled", "children"),
                            Input("content", "children"))


def _shown(page: Page, visit: Visit) -> Any:
    return html.Div([dmc.Title(page.title, order=1, size="h3", mb="md"),
                     html.Div(guarded(page.slug, lambda: page.layout(visit)), className="stack")])


def _links(name: str, pages: Sequence[Page], slug: str) -> list[Any]:
    return [dmc.NavLink(label=page.title, href=f"/{name}/{page.slug}", active=page.slug == slug,
                        **(aria(current="page") if page.slug == slug else {})) for page in pages]


def _defect(error: Exception) -> None:
    """A callback failed: the page stays as it was, the log has it."""
    log.error("a callback met a defect", exc_info=error)
    METRICS.failures.labels("callback", "defect").inc()
