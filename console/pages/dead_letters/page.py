"""The page: dead letters by reason, one of them as text, and the way back."""

from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from console.guard import guarded
from console.pages.dead_letters.reading import REASONS, Letter, Letters, as_text, read_letter, read_letters
from console.pages.dead_letters.replaying import REPLAY, REPLAY_ALL
from console.parts.aria import aria
from console.parts.figures import count
from console.parts.panel import facts, panel
from console.parts.state import nothing_yet
from console.parts.table import column, moment_column, table
from console.parts.when import moment
from console.site import Page, Site, Visit
from schemas.messages import DeadLetter

SLUG = "dead-letters"


def layout(visit: Visit) -> Any:
    """The newest letters, or those of the `reason` of the address."""
    found = read_letters(visit)
    if not found.newest:
        return [panel("What could not be scored?", nothing_yet(
            "No dead letter", "A record that cannot be scored stands here, with its bytes and the reason."))]
    reason = visit.query.get("reason")
    shown = [letter for letter in found.newest if reason not in REASONS or letter.brief.reason == reason]
    return [
        panel("What could not be scored, and why?", _table(shown), _how_many(shown, found),
              dmc.Group([REPLAY.button(), REPLAY_ALL.button(disabled=reason not in REASONS)], mt="sm"),
              REPLAY.dialog(), REPLAY_ALL.dialog(), aside=_ways(found, visit, reason)),
        html.Div(nothing_yet("No letter is chosen", "Choose one in the table to see what it holds."),
                 id="dead-letters-letter", **aria(live="polite")),
    ]


def callbacks(app: Dash, site: Site) -> None:
    """Choose a letter, send it again."""
    REPLAY.callbacks(app, site)
    REPLAY_ALL.callbacks(app, site)

    @app.callback(Output("dead-letters-letter", "children"), Input("dead-letters-table", "selectedRows"),
                  State("url", "pathname"), prevent_initial_call=True)
    def choose(selected: list[dict[str, Any]], path: str) -> Any:
        visit = site.visit(path)
        return guarded(SLUG, lambda: _letter(visit, int(selected[0]["position"]))) if visit and selected else no_update


def _ways(found: Letters, visit: Visit, reason: str | None) -> dmc.Group:
    """To the letters of one reason."""
    ways = [dcc.Link("all", href=visit.link(SLUG), className="way", title="" if reason else "shown")]
    ways += [dcc.Link(f"{name} {count(number)}", href=visit.link(SLUG, reason=name), className="way",
                      title="shown" if name == reason else "") for name, number in found.reasons.most_common()]
    return dmc.Group(ways, gap="xs")


def _table(shown: list[Letter]) -> Any:
    rows = [{"position": str(letter.position), "said": letter.said, "source": letter.brief.source,
             "reason": letter.brief.reason, "detail": letter.brief.detail} for letter in shown]
    return table("dead-letters-table", "Dead letters, the newest first; choose one to see what it holds", [
        moment_column("said", "Since"), column("reason", "Reason", width=120),
        column("detail", "What is wrong", flex=2, minWidth=260), column("source", "Source", flex=1, minWidth=200),
    ], rows, select=True, key="position", shown=10)


def _how_many(shown: list[Letter], found: Letters) -> html.P:
    more = "" if len(found.newest) == found.total else f", the newest of {count(found.total)} that there ever were"
    return html.P(f"{count(len(shown))} shown of {count(len(found.newest))}{more}.", className="note")


def _letter(visit: Visit, position: int) -> Any:
    letter = read_letter(visit, position)
    if letter is None:
        return nothing_yet("This letter is gone", "It is older than what the record keeps, or its person was erased.")
    return panel("What does it hold?", _facts(letter, visit),
                 html.Pre(as_text(letter.raw), className="code", tabIndex=0) if letter.raw else
                 html.P("It has no bytes.", className="note"))


def _facts(letter: DeadLetter, visit: Visit) -> html.Dl:
    return facts(("Reason", letter.reason), ("What is wrong", letter.detail), ("Source", html.Code(letter.source)),
                 ("Record of", moment(letter.record_ts, visit.zone) if letter.record_ts >= 0 else "no time"),
                 ("Key", "none" if letter.raw_key is None else as_text(letter.raw_key) or "empty"),
                 ("Bytes", "none" if letter.raw is None else count(len(letter.raw))))


DEAD_LETTERS = Page(slug=SLUG, title="Dead letters", layout=layout, callbacks=callbacks)
