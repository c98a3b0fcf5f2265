"""Dead letters back into events, by the command."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from dash import State
from msgspec.structs import replace

from console.orders import Outcome
from console.pages.dead_letters.reading import REASONS
from console.parts.confirm import Action
from console.site import Visit

log = structlog.get_logger()


def replay_one(visit: Visit, _reason: str, selected: Sequence[Mapping[str, Any]] | None) -> Outcome:
    """Send the chosen letter."""
    if not selected:
        return Outcome(done=False, said="no letter is chosen: choose one in the table")
    return _replay(visit, "--", selected[0]["source"])


def replay_shown(visit: Visit, _reason: str) -> Outcome:
    """Send all of the reason that the address names."""
    reason = visit.query.get("reason")
    if reason not in REASONS:
        return Outcome(done=False, said="no reason is chosen: choose one above the table")
    return _replay(visit, "--reason", reason)


def _replay(visit: Visit, *which: str) -> Outcome:
    log.info("dead letters are replayed", by=visit.caller, pipeline=visit.name, which=which[-1])
    return told(visit.site.orders.run("dead-letters", "replay", str(visit.file), *which))


def told(outcome: Outcome) -> Outcome:
    """The command's report in words, where there is one."""
    report = outcome.document
    if not isinstance(report, dict):
        return outcome
    refused = sum(report["refused"].values())
    sums = (f"{report['sent']:,} sent and confirmed, {report['replayed_before']:,} replayed before, {refused:,} cannot "
            "be replayed.")
    words = [sums, *(f"{one['source']}: {one['why']}" for one in report["examples"])]
    if report["sent"]:
        words.append("What is scored is among the events; what is refused again comes back here.")
    return replace(outcome, said="\n".join(words))


REPLAY = Action(
    name="dead-letters-replay", label="Replay the chosen one", question="Send this event again?",
    explanation="Its bytes go into events once more, as they are. It is left alone if it was replayed before.",
    act=replay_one, states=(State("dead-letters-table", "selectedRows"),), asks_reason=False)
REPLAY_ALL = Action(
    name="dead-letters-all", label="Replay all of this reason", question="Send all events of this reason again?",
    explanation="Every dead letter of the chosen reason goes into events once more, also those that this page does not "
                "show. What was replayed before is left alone.",
    act=replay_shown, asks_reason=False)
