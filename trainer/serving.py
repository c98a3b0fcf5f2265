"""How an expert comes to serve, and how it ceases to: as champion, as canary first, or back to the champion before."""

from msgspec.structs import replace

from schemas.messages import GateVerdict, TrainingDecision, Trial
from trainer.breaker import OPEN, is_open, struck
from trainer.effects import Announced, Outcome, Promote, Refused, Steps, Withdraw
from trainer.gate import Contender, compared
from trainer.incidents import settle
from trainer.standing import Standing

PARITY_ROWS = 2_000
FORMER = 20  # versions that are remembered


def serve(standing: Standing, winner: Contender, decision: TrainingDecision, gate: GateVerdict) -> Outcome:
    """Make an expert of the pool the champion; the decision says `promoted` or `failed`. True where it serves."""
    former = standing.pool.champion
    answer = yield _promote(standing, winner, decision)
    if isinstance(answer, Refused):
        yield from _refused(standing, winner, decision, gate, answer)
        return False
    assert isinstance(answer, Announced)  # noqa: S101 - what Promote is answered by
    _crown(standing, winner, answer, decision)
    versions = [*standing.state.former, *([former.version] if former.version else [])]
    standing.change(former=versions[-FORMER:], promoted_labels=standing.state.labels)
    yield replace(decision, verdict="promoted", recipe=winner.recipe, gate=gate, version=answer.version, run=answer.run)
    return True


def roll_back(standing: Standing, to: Contender, decision: TrainingDecision, gate: GateVerdict) -> Outcome:
    """Let the champion before serve again; the present one leaves the pool. True where it does."""
    answer = yield _promote(standing, to, decision)
    if isinstance(answer, Refused):
        yield from _refused(standing, to, decision, gate, answer)
        return False
    assert isinstance(answer, Announced)  # noqa: S101 - what Promote is answered by
    _crown(standing, to, answer, decision, keep_former=False)
    standing.change(former=standing.state.former[:-1], promoted_labels=None)
    yield replace(decision, verdict="rolled-back", recipe=to.recipe, gate=gate, version=answer.version, run=answer.run)
    return True


def try_as_canary(standing: Standing, winner: Contender, decision: TrainingDecision, gate: GateVerdict,
                  share: float) -> Outcome:
    """Let an expert serve a share of the entities. True where it does; what it shares with the champion starts anew."""
    answer = yield _promote(standing, winner, decision, share)
    if isinstance(answer, Refused):
        yield from _refused(standing, winner, decision, gate, answer)
        return False
    assert isinstance(answer, Announced)  # noqa: S101 - what Promote is answered by
    _note(winner, answer, decision)
    winner.face_new_champion()
    trial = Trial(decision_id=winner.decision_id, family=winner.recipe.family, window=winner.recipe.window,
                  epoch=answer.epoch, share=share, labels=standing.state.labels)
    standing.change(trial=trial, canary_epoch=answer.epoch)
    yield replace(decision, verdict="canary", recipe=winner.recipe, gate=gate, version=answer.version, run=answer.run,
                  reason=f"{decision.reason}; it serves {share:.0%} of the entities first")
    return True


def withdraw(standing: Standing, canary: Contender, decision: TrainingDecision, gate: GateVerdict) -> Steps:
    """End the trial of a canary, which leaves the pool. A foreign announcement that took the slot has ended it."""
    answer = yield Withdraw(decision_id=decision.decision_id, reason=decision.trigger,
                            replaces=standing.state.canary_epoch)
    if isinstance(answer, Refused):
        standing.adopt(answer)
    else:
        assert isinstance(answer, Announced)  # noqa: S101 - what Withdraw is answered by
        standing.change(trial=None, canary_epoch=answer.epoch)
    standing.pool.contenders.remove(canary)
    yield replace(decision, verdict="withdrawn", recipe=canary.recipe, gate=gate, version=canary.version)


def strike(standing: Standing, why: str) -> Steps:
    """One more failure for the breaker."""
    state = standing.state
    strikes = struck(state.strikes, state.event_time, standing.pipeline.retraining.cooldown)
    standing.change(strikes=strikes)
    if is_open(len(strikes)):
        yield from open_breaker(standing, f"{len(strikes)} failures within a cooldown, the last: {why}")


def open_breaker(standing: Standing, why: str) -> Steps:
    """Nothing happens by itself from here on; an open incident is given up."""
    state = standing.state
    if state.paused is not None:
        return
    reason = f"{OPEN}: {why}; the champion stands, and nothing happens by itself until `resume`"
    standing.change(paused=reason)
    incident, canary = state.incident, standing.canary
    yield standing.decision(standing.decision_id("breaker"), "paused", reason, trigger="breaker",
                            incident_id=incident.incident_id if incident is not None else None)
    if canary is not None:
        decision = standing.decision(standing.decision_id("trial", *canary.key), "failed", "the breaker opened",
                                     trigger="breaker")
        yield from withdraw(standing, canary, decision, compared("evidence", standing.pool.champion, canary))
    if incident is not None:
        yield from settle(standing, incident, "given up: the breaker opened", trigger="breaker")


def _promote(standing: Standing, winner: Contender, decision: TrainingDecision, share: float = 0.0) -> Promote:
    history, last, state = standing.history, standing.last, standing.state
    newest = history.first_of_newest(PARITY_ROWS, last) or history.first_offset()
    return Promote(
        decision_id=decision.decision_id, reason=decision.trigger, expert=standing.pool.expert(winner),
        recipe=winner.recipe, validation=history.dataset(newest, last).rows,
        metrics={"discounted_loss": winner.discounted or 0.0,
                 "champion_loss": standing.pool.champion.discounted or 0.0},
        answered=history.fresh(winner.recipe.dataset.last + 1, last),
        replaces=max(state.champion_epoch, state.canary_epoch) if share else state.champion_epoch,
        registered=winner.registered or decision.decision_id, share=share,
    )


def _note(winner: Contender, answer: Announced, decision: TrainingDecision) -> None:
    winner.version, winner.registered = answer.version, winner.registered or decision.decision_id


def _crown(standing: Standing, winner: Contender, answer: Announced, decision: TrainingDecision, *,
           keep_former: bool = True) -> None:
    """A champion's announcement also ends a trial."""
    _note(winner, answer, decision)
    standing.pool.crown(winner, keep_former=keep_former)
    standing.change(champion_epoch=answer.epoch, trial=None)


def _refused(standing: Standing, winner: Contender, decision: TrainingDecision, gate: GateVerdict,
             answer: Refused) -> Steps:
    winner.face_new_champion()  # it must not be asked again at the next row
    standing.adopt(answer)
    yield replace(decision, verdict="failed", reason=answer.reason, recipe=winner.recipe, gate=gate)
    yield from strike(standing, answer.reason)
