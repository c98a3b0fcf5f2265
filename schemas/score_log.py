"""Which checkpoint of a partition counts: the rule of every reader of `score-state`.

Not simply the last: a worker that was frozen, and whose partitions were given to another meanwhile, writes once more
before it notices. Each owner therefore has a term of its own, one above its predecessor's, and says so before it
scores.
"""

from collections.abc import Iterable

from schemas.messages import ScoreState

TAIL = 32
"""Records at the end of a partition among which the one that counts is found: what a worker that was frozen has on its
way, and more. What remains is told in docs/decisions/0042."""


def standing(states: Iterable[ScoreState]) -> dict[int, ScoreState]:
    """By partition the checkpoint that counts, of records in the order of the log."""
    found: dict[int, ScoreState] = {}
    for state in states:
        known = found.get(state.partition)
        if known is None or _order(state) >= _order(known):
            found[state.partition] = state
    return found


def _order(state: ScoreState) -> tuple[int, int, int]:
    return state.term, state.covered, state.epoch
