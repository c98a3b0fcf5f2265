"""When failures pile up."""

import random
from math import log

import pytest

from schemas.messages import Baseline
from trainer.breaker import follow, is_open, struck


def test_three_strikes_within_a_cooldown_open_it_and_older_ones_are_forgotten() -> None:
    strikes = struck(struck([], 100, 50), 120, 50)
    assert not is_open(len(strikes))
    assert is_open(len(struck(strikes, 150, 50)))
    assert struck(strikes, 171, 50) == [171]


def test_the_baseline_loses_what_the_frequencies_of_the_labels_lose() -> None:
    baseline, chance = Baseline(), random.Random(1)
    for _ in range(2_000):
        baseline = follow(baseline, "binary", "yes" if chance.random() < 0.25 else "no", 1.0, 0.995)
    entropy = -(0.25 * log(0.25) + 0.75 * log(0.75))
    assert baseline.loss / baseline.weight == pytest.approx(entropy, abs=0.05)
    assert sum(baseline.counts.values()) == pytest.approx(baseline.weight)


def test_the_baseline_of_numbers_answers_their_mean() -> None:
    baseline = Baseline()
    for value in (2.0, 4.0, 5.0):
        baseline = follow(baseline, "regression", value, 2.0, 1.0)
    assert baseline == Baseline(weight=3.0, loss=0.0 + 1.0 + 1.0, total=11.0)
