"""An action that changes the system: a button, a question with a reason for the record, and what came of it."""

from collections.abc import Callable, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, html, no_update
from msgspec import Struct

from console.orders import Outcome
from console.parts.aria import aria
from console.site import Site, Visit

DONE_COLOUR = "green"


class Action(Struct, frozen=True, kw_only=True):
    """`name` is unique in the console. `act` gets the visit, the reason, and the values of `states`."""

    name: str
    label: str
    question: str
    explanation: str
    act: Callable[..., Outcome]
    states: Sequence[State] = ()
    colour: str = "indigo"
    asks_reason: bool = True

    def button(self, *, disabled: bool = False) -> dmc.Button:
        """What opens the question."""
        return dmc.Button(self.label, id=f"{self.name}-open", color=self.colour, disabled=disabled)

    def dialog(self) -> html.Div:
        """The question, closed, and the place where it is said what came of it."""
        reason = dmc.TextInput(id=f"{self.name}-reason", label="Reason, for the record",
                               style=None if self.asks_reason else {"display": "none"})
        buttons = dmc.Group([dmc.Button("Cancel", id=f"{self.name}-no", variant="default"),
                             dmc.Button(self.label, id=f"{self.name}-yes", color=self.colour)], justify="flex-end")
        return html.Div([
            dmc.Modal(dmc.Stack([dmc.Text(self.explanation), reason, buttons]), id=f"{self.name}-dialog",
                      title=self.question, centered=True, closeButtonProps=aria(label="Close")),
            html.Div(id=f"{self.name}-said", **aria(live="polite")),
        ])

    def callbacks(self, app: Dash, site: Site) -> None:
        """Make the buttons work."""
        name = self.name

        @app.callback(
            Output(f"{name}-dialog", "opened"), Output(f"{name}-said", "children"),
            Input(f"{name}-open", "n_clicks"), Input(f"{name}-no", "n_clicks"), Input(f"{name}-yes", "n_clicks"),
            State(f"{name}-reason", "value"), State("url", "pathname"), State("url", "search"), *self.states,
            prevent_initial_call=True, running=[(Output(f"{name}-yes", "loading"), True, False)])
        def answer(_open: Any, _no: Any, _yes: Any, reason: str | None, path: str, search: str,
                   *values: Any) -> tuple[bool, Any]:
            if not ctx.triggered[0]["value"]:  # the button has just come
                return no_update, no_update  # type: ignore[return-value]
            if ctx.triggered_id != f"{name}-yes":
                return ctx.triggered_id == f"{name}-open", no_update
            visit = site.visit(path, search)
            if visit is None:
                return False, no_update
            return False, said(self.label, self.act(visit, (reason or "").strip(), *values))


def said(label: str, outcome: Outcome) -> dmc.Alert:
    """What came of an action, in the command's words."""
    title = f"{label}: done" if outcome.done else f"{label}: not done"
    return dmc.Alert(html.Pre(outcome.said, className="said"), title=title, withCloseButton=True, mt="sm",
                     color=DONE_COLOUR if outcome.done else "red", variant="light",
                     attributes={"root": {"role": "status" if outcome.done else "alert"}})


def by(visit: Visit, reason: str) -> tuple[str, ...]:
    """Arguments of a command that put who and why on record."""
    return ("--by", visit.caller, *(("--reason", reason) if reason else ()))
