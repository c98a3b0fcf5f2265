"""A poison does what its name says, and harm that it did misses the must."""

import numpy as np
import pytest

from bench.policies import poisoned, segments
from bench.policies.poisoned import ATTACKS, Found
from bench.policies.segments import Drawn

ROWS = 20_000


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return segments.draw(np.random.default_rng(0), ROWS)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_poison_flips_what_its_name_says(attack: poisoned.Attack, drawn: Drawn) -> None:
    flipped = attack.poison(np.random.default_rng(1), drawn)
    share = next(float(word.rstrip("%")) for word in attack.name.split() if word.endswith("%")) / 100
    assert abs(flipped.mean() - share) < 0.01
    if "one way" in attack.name:
        assert drawn.labels[flipped].all()
    if "segment" in attack.name:
        (segment,) = set(drawn.segments[flipped].tolist())
        assert flipped[drawn.segments == segment].all()


def test_one_promotion_that_loses_on_honest_rows_in_one_seed_misses_the_must() -> None:
    quiet = Found(case="a", promotions=[1, 0], lost=[0.019, 0.0])
    harmed = Found(case="b", promotions=[1, 1], lost=[0.0, 0.02])
    changes = [Found(case="c", promotions=[1] * 19 + [0], lost=[0.0] * 20),
               Found(case="d", promotions=[1] * 18 + [0, 0], lost=[0.0] * 20)]
    assert [each.met for each in poisoned.musts([quiet, harmed], changes)] == [True, False, True, False]
