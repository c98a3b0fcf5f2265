"""Everything that is known of one version."""

from collections.abc import Iterator

import msgspec

from automl_stream.dead_letters.wording import printable, when
from automl_stream.models.errors import UnknownVersion
from automl_stream.models.history import History
from schemas.messages import Artifact, Command, DriftAlert, GateVerdict, Recipe
from schemas.topics import LABELLED, topic_name

_ALERTS = 5


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """One announcement of the version. `replaced`: the version that was the champion before it."""

    epoch: int
    slot: str
    share: float
    serving: bool
    announced: int
    reason: str
    by: str
    decision_id: str
    replaced: str | None
    command: Command | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A version. `topic`: that its dataset lies in; `alerts`: raised while it was the champion, `newest_alerts` the
    last few of them."""

    pipeline: str
    version: str
    epochs: list[Epoch]
    model: Artifact
    profile: Artifact
    decision_id: str | None
    trigger: str | None
    topic: str
    recipe: Recipe | None
    gate: GateVerdict | None
    run: str | None
    alerts: int
    newest_alerts: list[DriftAlert]


def look_at(pipeline: str, history: History, version: str) -> Shown:
    """The version as it is now.

    Raises:
        UnknownVersion: when it was never announced.
    """
    announced = history.of_version(version)
    if not announced:
        known = [a.announcement.version for a in history.announcements()]
        raise UnknownVersion(f"no version {version} of pipeline '{pipeline}' was ever announced" + (
            f"; known are {', '.join(dict.fromkeys(known[-10:]))} (`automl-stream models list`)" if known else
            ": there is no model yet, `automl-stream bootstrap` makes the first"))
    origin, newest = history.origin(version), announced[-1].announcement
    alerts = [alert for alert in history.alerts if alert.model.version == version]
    return Shown(
        pipeline=pipeline, version=version, epochs=[_epoch(history, a.epoch) for a in announced], model=newest.model,
        profile=newest.profile, topic=topic_name(pipeline, LABELLED),
        decision_id=None if origin is None else origin.decision_id, trigger=None if origin is None else origin.trigger,
        recipe=None if origin is None else origin.recipe, gate=None if origin is None else origin.gate,
        run=None if origin is None else origin.run, alerts=len(alerts), newest_alerts=alerts[-_ALERTS:])


def _epoch(history: History, epoch: int) -> Epoch:
    accepted = history.models.find(epoch)
    assert accepted is not None  # noqa: S101 - the epoch of an accepted announcement
    announcement = accepted.announcement
    before = history.models.serving(announcement.replaces) if announcement.replaces >= 0 else None
    return Epoch(
        epoch=epoch, slot=announcement.slot, share=announcement.share, serving=epoch in history.serving,
        announced=announcement.issued_at, reason=announcement.reason, by=history.who(accepted),
        decision_id=announcement.decision_id,
        replaced=None if before is None else before.champion.announcement.version,
        command=history.commands.get(announcement.decision_id))


def describe(shown: Shown) -> Iterator[str]:
    """Lines for a person."""
    recipe, gate = shown.recipe, shown.gate
    facts = {
        "version": f"{shown.version} of {shown.pipeline}{', serves' if any(e.serving for e in shown.epochs) else ''}",
        "model": f"{shown.model.size:,} bytes, SHA-256 {shown.model.digest}",
        "profile": f"SHA-256 {shown.profile.digest}",
        "decision": f"{shown.decision_id or 'not on record'} ({shown.trigger or 'no trigger'})",
        "MLflow run": shown.run or "none on record",
    }
    if recipe is not None:
        data = recipe.dataset
        parameters = "".join(f", {name} {value}" for name, value in recipe.parameters.items())
        facts |= {
            "recipe": f"{recipe.family} on window {recipe.window}, seed {recipe.seed}{parameters}",
            "dataset": f"{data.rows:,} rows of {shown.topic}, offsets {data.first} to {data.last}, SHA-256 "
                       f"{data.digest}",
        }
    if gate is not None:
        facts["gate"] = (f"{gate.rule} on {gate.rows:,} fresh rows: loss {_loss(gate.candidate_loss)}, the champion's "
                         f"{_loss(gate.champion_loss)}")
    for name, fact in facts.items():
        yield f"{name:<13}{fact}"
    for epoch in shown.epochs:
        yield f"{'epoch':<13}{_history(epoch)}"
    yield f"{'alerts':<13}{shown.alerts:,} raised while it was the champion"
    for alert in shown.newest_alerts:
        yield f"{'':<13}{when(alert.window_end)} {printable(alert.sentence)}"


def _history(epoch: Epoch) -> str:
    slot = "champion" if epoch.slot == "champion" else f"canary of {epoch.share:.0%}"
    over = "" if epoch.replaced is None else f", after version {epoch.replaced}"
    why = f": {printable(epoch.command.reason)}" if epoch.command is not None and epoch.command.reason else ""
    return (f"{epoch.epoch}, {when(epoch.announced)}, {slot}{over}; {epoch.reason}, by {printable(epoch.by)}{why}"
            f"{' (serves)' if epoch.serving else ''}")


def _loss(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
