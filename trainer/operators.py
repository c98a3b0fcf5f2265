"""What an operator commands. The guards have no say; who asked is on record, and what cannot be done is rejected."""

from collections.abc import Generator

from msgspec.structs import replace

from schemas.messages import Command, TrainingDecision, derived_id
from trainer import serving
from trainer.effects import Answer, Effect, Recall, Steps
from trainer.errors import UnusableRows
from trainer.gate import Contender, compared, heir
from trainer.policy import MAX_ROUNDS, Due
from trainer.rounds import train
from trainer.standing import Standing


def obey(standing: Standing, command: Command) -> Steps:
    """Do what a command says, before the next row."""
    if command.action == "erase":
        return  # rows of PostgreSQL: nothing to decide
    decision = replace(
        standing.decision(derived_id("command", command.command_id), "rejected", "",
                          trigger=f"command: {command.action}"), by=command.by)
    if command.action == "pause":
        reason = f"{command.by}: {command.reason}" if command.reason else command.by
        standing.change(paused=reason)
        yield replace(decision, verdict="paused", reason=reason)
    elif command.action == "resume":
        yield from _resume(standing, decision, command)
    elif command.action == "refresh":
        yield from _refresh(standing, decision)
    elif command.action == "promote":
        yield from _promote(standing, decision, command)
    else:
        yield from _roll_back(standing, decision, command)


def _resume(standing: Standing, decision: TrainingDecision, command: Command) -> Steps:
    if standing.state.paused is None:
        yield replace(decision, reason="nothing is paused")
        return
    standing.change(paused=None, strikes=[], hopeless=0)
    yield replace(decision, verdict="resumed", reason=command.reason or f"asked by {command.by}")


def _refresh(standing: Standing, decision: TrainingDecision) -> Steps:
    if standing.state.paused is not None:
        yield replace(decision, reason=f"paused: {standing.state.paused}; resume first")
        return
    rounds = standing.state.rounds
    if len(rounds) >= MAX_ROUNDS or any(r.dataset.last == standing.last for r in rounds):
        yield replace(decision, reason=f"{len(rounds)} rounds are under judgement, the last on all rows up to offset "
                                       f"{rounds[-1].dataset.last}")
        return
    standing.change(refreshed_labels=standing.state.labels, refreshed_at=standing.state.event_time)
    yield from train(standing, Due(trigger=decision.trigger, multiple=0), ordered=decision)


def _promote(standing: Standing, decision: TrainingDecision, command: Command) -> Steps:
    version = command.version
    if version is None or version == standing.pool.champion.version:
        yield replace(decision, reason="no version is named" if version is None else f"version {version} serves")
        return
    decision = replace(decision, reason=command.reason or f"asked by {command.by}")
    chosen = yield from _find(standing, decision, version)
    if chosen is None:
        return
    gate = compared("operator", standing.pool.champion, chosen)
    if command.share is not None:
        yield from serving.try_as_canary(standing, chosen, decision, gate, command.share)
    else:
        yield from serving.serve(standing, chosen, decision, gate)


def _roll_back(standing: Standing, decision: TrainingDecision, command: Command) -> Steps:
    former = standing.state.former
    if not former:
        yield replace(decision, reason="there is no champion before this one to go back to")
        return
    decision = replace(decision, reason=command.reason or f"asked by {command.by}")
    chosen = yield from _find(standing, decision, former[-1])
    if chosen is not None:
        yield from serving.roll_back(standing, chosen, decision,
                                     compared("operator", standing.pool.champion, chosen))


def _find(standing: Standing, decision: TrainingDecision,
          named: str) -> Generator[Effect, Answer, Contender | None]:
    """The expert that a version, or a decision that was deferred, names: of the pool, or fitted again by its recipe;
    None, and the decision says why, where that cannot be done."""
    chosen = standing.pool.find(lambda c: c.version == named)
    if chosen is not None:
        return chosen
    found = yield Recall(named=named)
    if not isinstance(found, TrainingDecision) or found.recipe is None:
        yield replace(decision, reason=f"no decision gave the registry a version {named}, and none of that id awaits "
                                       "an operator's word")
        return None
    recipe = found.recipe
    if recipe == standing.pool.champion.recipe:
        yield replace(decision, reason=f"{named} serves")
        return None
    chosen = standing.pool.find(lambda c: c.recipe == recipe)
    if chosen is None:
        data = standing.history.dataset(recipe.dataset.first, recipe.dataset.last)
        if data.dataset != recipe.dataset:
            yield replace(decision, reason=f"version {named} was trained on offsets {recipe.dataset.first} to "
                                           f"{recipe.dataset.last} of `labelled`, which are no longer all kept")
            return None
        try:
            expert = standing.fit(standing.pipeline, recipe, data)
        except UnusableRows as error:
            yield replace(decision, reason=f"version {named} cannot be fitted again: {error}")
            return None
        ancestors = [standing.pool.champion, *standing.pool.contenders]
        chosen = heir(found.decision_id, recipe, ancestors)
        standing.pool.add(chosen, expert)
    if found.version is not None:
        chosen.version, chosen.registered = found.version, found.decision_id
    return chosen
