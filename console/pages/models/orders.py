"""An operator's words to the trainer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dash import State
from msgspec.structs import replace

from console.orders import Outcome
from console.parts.confirm import Action, by
from console.site import Visit


def answered(outcome: Outcome) -> Outcome:
    """The trainer's answer in words, where there is one."""
    answer = outcome.document
    return replace(outcome, said=f"{answer['verdict']}: {answer['reason']}") if isinstance(answer, dict) else outcome


def promote(visit: Visit, reason: str, selected: Sequence[Mapping[str, Any]] | None, share: Any) -> Outcome:
    """Let the chosen version serve; `share`: percent of the entities for a canary, nothing for all."""
    if not selected:
        return Outcome(done=False, said="no version is chosen: choose one in the table")
    canary = () if share in {None, ""} else ("--canary", str(float(share) / 100))
    return answered(visit.site.orders.run("models", "promote", str(visit.file), *canary, *by(visit, reason), "--",
                                          selected[0]["version"]))


def _order(order: str) -> Callable[[Visit, str], Outcome]:
    def act(visit: Visit, reason: str) -> Outcome:
        return answered(visit.site.orders.run("models", order, str(visit.file), *by(visit, reason)))

    return act


PROMOTE = Action(
    name="models-promote", label="Promote", question="Let the chosen version serve?",
    explanation="It becomes the champion, or with a share a canary for so many of the entities. The champion of now "
                "can be brought back with Roll back.",
    act=promote, states=(State("models-table", "selectedRows"), State("models-share", "value")))
ROLLBACK = Action(
    name="models-rollback", label="Roll back", question="Let the champion before this one serve again?",
    explanation="Where a canary serves, the canary ends and the champion stays.", act=_order("rollback"), colour="red")
PAUSE = Action(
    name="models-pause", label="Pause", question="Stop training and promoting?",
    explanation="Nothing is trained or promoted until somebody resumes. Scoring and watching go on.",
    act=_order("pause"))
RESUME = Action(
    name="models-resume", label="Resume", question="Train and promote again?",
    explanation="From here on the trainer answers alerts and refreshes by itself.", act=_order("resume"))
REFRESH = Action(
    name="models-refresh", label="Refresh", question="Fit candidates now?",
    explanation="The trainer does not wait for more labels. A candidate serves only if it passes the gate.",
    act=_order("refresh"))
ORDERS = (REFRESH, PAUSE, RESUME, ROLLBACK)
