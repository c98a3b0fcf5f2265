"""Uncalibrated features, predictions and immaterial changes, each drawn a few times."""

import numpy as np
import pytest

from bench.decisions import immaterial, predictions, uncalibrated
from bench.decisions.uncalibrated import World, judged, silence


def test_a_cycle_longer_than_the_reference_alarms_unless_it_is_declared() -> None:
    world = World(reference=1_000, amplitude=1, length=4)
    found = silence(world, judged(world, range(4)))
    assert found.low["without"] > 10
    assert (found.ratio["declared"], found.silenced["declared"]) == (0, 1)
    assert found.references == 40


def test_independent_rows_silence_nothing() -> None:
    world = World(reference=1_000, steady="independent")
    found = silence(world, judged(world, range(2)))
    assert set(found.silenced.values()) == {0}
    assert len(set(found.ratio.values())) == 1


@pytest.mark.parametrize("worlds", [uncalibrated.QUICK, uncalibrated.FULL])
def test_every_world_has_a_name_of_its_own_and_is_watched_for_a_whole_cycle(worlds: tuple[World, ...]) -> None:
    assert len({world.name for world in worlds}) == len(worlds)
    assert all(world.windows * uncalibrated.WINDOW >= (world.period or 0) for world in worlds)


def test_scores_of_training_rows_are_no_reference() -> None:
    after = predictions.alarmed("labelled after the fit", 1_000, range(2))
    own = predictions.alarmed("its own training rows", 1_000, range(2))
    assert after.max() < 0.2
    assert own.min() > 0.8


def test_a_million_rows_do_not_make_a_hundredth_of_a_deviation_an_alarm() -> None:
    (none, _), (certain, quiet), (_, loud) = immaterial.shares(1_000_000, 0)
    assert none < 0.05
    assert certain == 1
    assert quiet == 0
    assert loud == 1


def test_the_cells_of_a_shifted_normal_variable_have_its_probabilities() -> None:
    rng = np.random.default_rng(0)
    profile = immaterial._STREAM.profile(rng.normal(size=(1_000, 1)))
    counts = immaterial._STREAM.counts(profile, rng.normal(0.5, 1, (100_000, 1)), 100_000)[0]
    shares = immaterial.cell_shares(profile, 0.5)
    assert shares.sum() == pytest.approx(1)
    assert counts / 100_000 == pytest.approx(shares, abs=0.005)
