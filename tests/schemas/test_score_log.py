"""Which checkpoint counts, whoever writes when."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.messages import ScoreState
from schemas.score_log import standing

FIRST = ScoreState(partition=0, covered=0, epoch=0, watermark=None, windows=[], late_rows=0, paused=False, term=1)
STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=6)


def by(term: int, steps: list[tuple[int, int]]) -> list[ScoreState]:
    """What an owner writes: it covers more, or swaps a model, or says the same again."""
    said = [replace(FIRST, term=term)]
    for rows, swaps in steps:
        said.append(replace(said[-1], covered=said[-1].covered + rows, epoch=said[-1].epoch + swaps))
    return said


@given(STEPS, STEPS, st.randoms(use_true_random=False))
def test_the_newest_owners_last_word_counts_whatever_its_predecessor_writes_meanwhile(
        old: list[tuple[int, int]], new: list[tuple[int, int]], chance: Random) -> None:
    mine, late = by(2, new), by(1, old)
    log = [0] * len(mine) + [1] * len(late)
    chance.shuffle(log)
    records = {0: iter(mine), 1: iter(late)}
    assert standing(next(records[who]) for who in log) == {0: mine[-1]}


def test_each_partition_has_its_own() -> None:
    other = replace(FIRST, partition=1, covered=9, term=7)
    assert standing([FIRST, other]) == {0: FIRST, 1: other}
    assert standing([]) == {}
