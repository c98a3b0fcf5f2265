"""What stands where there is nothing to show: nothing yet, away, broken."""

from typing import Any, Literal

import dash_mantine_components as dmc

Kind = Literal["empty", "away", "broken"]
_COLOURS = {"empty": "gray", "away": "orange", "broken": "red"}


def state(kind: Kind, title: str, explanation: Any) -> dmc.Alert:
    """A state of a panel or page, and what to do about it."""
    return dmc.Alert(explanation, title=title, color=_COLOURS[kind], variant="light", className=f"state state-{kind}",
                     attributes={"root": {"role": "status" if kind == "empty" else "alert"}})


def nothing_yet(title: str, explanation: Any) -> dmc.Alert:
    """There is no data so far, and that is no fault."""
    return state("empty", title, explanation)
