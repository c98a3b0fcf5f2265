"""What the gate says as labels come: of a round that is ripe, of the pool, of a champion on probation, of a canary."""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.messages import Candidate, GateVerdict, TrainingDecision, TrainingRound
from trainer import guards, serving
from trainer.breaker import is_open
from trainer.effects import Outcome, Steps
from trainer.gate import Contender, compared, let_through, passes_evidence
from trainer.incidents import settle_if_done, settle_if_over
from trainer.standing import Standing

CLEARLY = 0.98  # of the loss of who knows no features
BY_CHANCE = 0.9  # of it, which a candidate may come near on few rows

Passed = Sequence[tuple[Contender, GateVerdict]]


def judge_row(standing: Standing) -> Outcome:
    """All verdicts that are due after one more row. True where there were some."""
    before = standing.state
    yield from _judge_ripe(standing)
    for step in (_end_trial, _undo, _challenge):
        if standing.state.paused is None:
            yield from step(standing)
    if standing.state is before:
        return False
    standing.prune()
    return True


def _judge_ripe(standing: Standing) -> Steps:
    min_rows = standing.pipeline.gate.min_rows
    unripe = {c.decision_id for c in standing.pool.contenders if c.rows < min_rows}
    for judged in [r for r in standing.state.rounds if r.decision_id not in unripe]:
        yield from _judge(standing, judged)


def _judge(standing: Standing, judged: TrainingRound) -> Steps:
    """Candidates of one round against the champion."""
    standing.change(rounds=[r for r in standing.state.rounds if r is not judged])
    candidates = [c for c in standing.pool.contenders if c.decision_id == judged.decision_id]
    decision = replace(
        standing.decision(judged.decision_id, "rejected", "no candidate is better than the champion",
                          trigger=judged.trigger, incident_id=judged.incident_id),
        dataset=judged.dataset,
        candidates=[Candidate(recipe=c.recipe, loss=c.discounted, rows=c.rows) for c in candidates])
    passed = let_through(standing.pool.champion, candidates, standing.pipeline.gate.min_rows, standing.level)
    standing.change(hopeless=standing.state.hopeless + 1 if _is_hopeless(standing, candidates) else 0)
    promoted = yield from _decide(standing, passed, decision)
    if standing.canary is None:  # its end decides what the incident has come to
        yield from settle_if_done(standing, judged, promoted=promoted)
    if is_open(standing.state.hopeless):
        yield from serving.open_breaker(standing, f"after {standing.state.hopeless} rounds of training nobody says "
                                        "more than the labels' own frequencies do: retraining does not mend this")


def _decide(standing: Standing, passed: Passed, decision: TrainingDecision) -> Outcome:
    """The best whom nothing speaks against serves, all at once or as a canary first. True where it is the champion."""
    if not passed:
        yield decision
        return False
    winner, verdict = passed[0]
    if standing.state.paused is not None:
        yield replace(decision, verdict="deferred", recipe=winner.recipe, gate=verdict,
                      reason=f"paused: {standing.state.paused}; `promote {decision.decision_id}` overrules")
        return False
    if standing.canary is not None:
        yield replace(decision, reason="a canary is under trial", recipe=winner.recipe, gate=verdict)
        return False
    objections = [_objection(standing, candidate) for candidate, _ in passed]
    free = next((index for index, objection in enumerate(objections) if objection is None), None)
    golden = standing.golden.digest if standing.golden is not None else None
    if free is not None:
        winner, verdict = passed[free]
        verdict = replace(verdict, golden=golden)
        decision = replace(decision, reason=f"{verdict.rule} on {verdict.rows} fresh rows")
        share = standing.pipeline.rollout.canary_share
        if share:
            yield from serving.try_as_canary(standing, winner, decision, verdict, share)
            return False
        return (yield from serving.serve(standing, winner, decision, verdict))
    index = next((i for i, o in enumerate(objections) if o is not None and o.golden), 0)
    (winner, verdict), found = passed[index], objections[index]
    assert found is not None  # noqa: S101 - else it were free
    overrule = f"; `promote {decision.decision_id}` overrules" if found.golden else ""
    yield replace(decision, verdict="deferred" if found.golden else "rejected", reason=found.reason + overrule,
                  recipe=winner.recipe, gate=replace(verdict, golden=golden))
    return False


def _challenge(standing: Standing) -> Steps:
    """Whoever of the pool has shown by evidence that it is better, an earlier champion or an older candidate."""
    rounds = {r.decision_id for r in standing.state.rounds}
    shown = [c for c in standing.pool.contenders
             if c.decision_id not in rounds and passes_evidence(c.evidence, standing.level)]
    if not shown or standing.canary is not None:
        return
    passed = let_through(standing.pool.champion, shown, standing.pipeline.gate.min_rows, standing.level)
    if not passed:
        return
    decision = standing.decision(standing.decision_id("challenge", *passed[0][0].key), "rejected", "",
                                 trigger="challenge")
    promoted = yield from _decide(standing, passed, decision)
    if not promoted:
        for contender, _ in passed:
            contender.face_new_champion()  # it has to show it again


def _undo(standing: Standing) -> Steps:
    """The champion before has shown that it is better than the one on probation."""
    before, champion = standing.predecessor, standing.pool.champion
    if before is None or not passes_evidence(before.evidence, standing.level):
        return
    verdict = compared("evidence", champion, before)
    reason = f"version {before.version} was better than version {champion.version} on the {verdict.rows} rows since"
    decision = standing.decision(standing.decision_id("rollback", *champion.key), "failed", reason, trigger="probation")
    done = yield from serving.roll_back(standing, before, decision, verdict)
    if done:
        yield from serving.strike(standing, reason)


def _end_trial(standing: Standing) -> Steps:
    """A canary has shown that it is better or worse than the champion, or its time is over."""
    trial, canary, settings = standing.state.trial, standing.canary, standing.pipeline.gate
    if trial is None or canary is None:
        return
    labels = standing.state.labels - trial.labels
    better, worse = (passes_evidence(e, settings.alpha) for e in (canary.evidence, canary.counter_evidence))
    if not (better or worse or labels >= settings.probation_rows):
        return
    won = better or (not worse and canary.shared_loss <= canary.champion_loss)
    verdict = compared("evidence" if better or worse else "succession", standing.pool.champion, canary)
    found = "better" if better else "not worse" if won else "worse"
    reason = f"the canary was {found} after {labels} labels"
    decision = standing.decision(standing.decision_id("trial", *canary.key), "failed", reason, trigger="canary")
    served = won and (yield from serving.serve(standing, canary, decision, verdict))
    if standing.canary is not None:  # worse, or it could not serve
        yield from serving.withdraw(standing, canary, decision, verdict)
    if not won:
        yield from serving.strike(standing, reason)
    yield from settle_if_over(standing, promoted=served)


def _objection(standing: Standing, candidate: Contender) -> guards.Objection | None:
    champion = standing.pool.champion
    fitted_to = max(champion.recipe.dataset.last, candidate.recipe.dataset.last)
    pair = guards.Pair(champion=standing.pool.expert(champion), candidate=standing.pool.expert(candidate),
                       scale=standing.state.loss_scale)
    fresh = standing.history.fresh(fitted_to + 1, standing.last)
    return guards.objection(standing.pipeline, pair, fresh, standing.golden)


def _is_hopeless(standing: Standing, candidates: Sequence[Contender]) -> bool:
    """Whether neither the champion nor a candidate, on its own fresh rows, is clearly better than who knows no
    features. Inherited records would blame the candidates for what came before them."""
    champion, baseline = standing.pool.champion.discounted, standing.state.baseline
    if champion is None or not baseline.weight or not candidates:
        return False
    uninformed = baseline.loss / baseline.weight
    best = min(c.own_loss / c.rows for c in candidates)
    return champion >= CLEARLY * uninformed and best >= BY_CHANCE * uninformed
