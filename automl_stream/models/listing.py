"""Every accepted announcement in a line, and what serves now."""

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from automl_stream.dead_letters.wording import printable, when
from automl_stream.models.history import History
from schemas.model_log import Accepted

_PAPER = 160  # columns where the output is no terminal


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An announcement in short. `announced`: epoch ms; `by`: an operator, or 'policy'; `loss`: discounted mean loss on
    fresh rows when it was chosen; `rows`: that the model was fitted on."""

    epoch: int
    version: str
    slot: str
    share: float | None
    serving: bool
    announced: int
    reason: str
    by: str
    family: str | None
    window: int | str | None
    rows: int | None
    loss: float | None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The newest announcements, oldest first. `champion_loss`: of the serving champion on fresh rows, as it is now;
    `contenders`: fitted models that are judged beside it; `incident`: id of the open one."""

    pipeline: str
    announcements: int
    models: list[Line]
    champion_loss: float | None
    contenders: int
    incident: str | None


def make_listing(pipeline: str, history: History, limit: int) -> Listing:
    """At most `limit` lines."""
    announcements, state = history.announcements(), history.state
    champion = None if state is None else state.champion
    return Listing(
        pipeline=pipeline, announcements=len(announcements),
        models=[_line(history, accepted) for accepted in announcements[-limit:]],
        champion_loss=champion.loss / champion.weight if champion is not None and champion.weight else None,
        contenders=0 if state is None else len(state.experts),
        incident=state.incident.incident_id if state is not None and state.incident is not None else None)


def _line(history: History, accepted: Accepted) -> Line:
    announcement = accepted.announcement
    decision = history.decisions.get(announcement.decision_id)
    origin = history.origin(announcement.version)
    recipe = None if origin is None else origin.recipe
    return Line(
        epoch=accepted.epoch, version=announcement.version, slot=announcement.slot,
        share=announcement.share if announcement.slot == "canary" else None,
        serving=accepted.epoch in history.serving, announced=announcement.issued_at,
        reason="new reference profile" if announcement.reason == "profile" else announcement.reason,
        by=history.who(accepted), family=None if recipe is None else recipe.family,
        window=None if recipe is None else recipe.window, rows=None if recipe is None else recipe.dataset.rows,
        loss=None if decision is None or decision.gate is None else decision.gate.candidate_loss)


def print_listing(listing: Listing) -> None:
    """As a table for a person."""
    console = Console(soft_wrap=True, width=None if Console().is_terminal else _PAPER)
    table = Table()
    for name in ("version", "epoch", "announced", "slot", "family", "window", "rows", "loss", "why", "by", ""):
        table.add_column(name, justify="right" if name in {"version", "epoch", "rows", "loss"} else "left")
    for line in listing.models:
        slot = line.slot if line.share is None else f"canary, {line.share:.0%}"
        table.add_row(*map(Text, (
            line.version, str(line.epoch), when(line.announced), slot, line.family or "-", str(line.window or "-"),
            "-" if line.rows is None else f"{line.rows:,}", "-" if line.loss is None else f"{line.loss:.4f}",
            printable(line.reason), printable(line.by), "serves" if line.serving else "")))
    console.print(table)
    shown = len(listing.models)
    newest = f", the newest {shown:,} shown" if shown < listing.announcements else ""
    loss = "" if listing.champion_loss is None else f"; the champion's loss is {listing.champion_loss:.4f} now"
    incident = "" if listing.incident is None else f"; incident {listing.incident} is open"
    console.print(f"{listing.announcements:,} announcements{newest}{loss}; {listing.contenders} contenders{incident}",
                  highlight=False)
