"""Detectors that watch losses: what they find, what cannot blind them, how often they are wrong."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from scipy.stats import poisson

from drift.detectors.detector import ChangeTest, Detector, RiverDetector, detector, require_detectors
from drift.detectors.detector_set import DetectorSet
from drift.detectors.errors import DetectorError, DetectorsUnavailable, LossRefused, OffsetError
from drift.detectors.false_alarms import FalseAlarms, measure_false_alarms
from drift.losses import LossRow
from schemas.detectors import DETECTORS, ERROR_DETECTORS
from schemas.messages import Firing

CHANGE, ROWS = 300, 500
FAST = sorted(set(DETECTORS) - {"kswin"})  # KSWIN takes 0.3 ms and more a row


def errors(share: float, rows: int) -> list[float]:
    return [float(error) for error in np.random.default_rng(7).random(rows) < share]


CHANGING = errors(0.1, CHANGE) + errors(0.9, ROWS - CHANGE)


def fired(watched: Detector, losses: Iterable[float]) -> list[int]:
    return [row for row, loss in enumerate(losses) if watched.update(loss)]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_jump_of_the_error_rate_fires_within_a_hundred_rows_and_not_before(name: str) -> None:
    watched = detector(name)
    assert watched.name == name
    assert CHANGE <= fired(watched, CHANGING)[0] < CHANGE + 100


@pytest.mark.parametrize("poison", [nan, inf, -inf])
@pytest.mark.parametrize("bare", [drift.ADWIN, drift.PageHinkley])
def test_what_blinds_river_for_good_leaves_us_seeing(bare: Callable[[], ChangeTest], poison: float) -> None:
    blind, ours = bare(), RiverDetector(name="ours", test=bare())
    for loss in (poison, *CHANGING * 3):
        blind.update(loss)
        assert not blind.drift_detected
    assert fired(ours, (poison, *CHANGING))[0] > CHANGE
    assert ours.skipped == 1


@pytest.mark.parametrize("name", DETECTORS)
@settings(deadline=None, max_examples=5)
@given(at=st.lists(st.tuples(st.integers(0, ROWS), st.sampled_from([nan, inf, -inf])), max_size=30))
def test_what_is_not_finite_is_counted_and_changes_no_answer(name: str, at: list[tuple[int, float]]) -> None:
    rows = [(row, loss) for row, loss in enumerate(CHANGING[:ROWS if name in FAST else 120])]
    mixed = sorted([*rows, *at], key=lambda each: each[0])
    clean, watched = detector(name), detector(name)
    answers = [watched.update(loss) for _, loss in mixed]
    expected = [np.isfinite(loss) and clean.update(loss) for _, loss in mixed]
    assert answers == expected
    assert (watched.skipped, clean.skipped) == (len(at), 0)


def test_the_seed_decides_what_kswin_draws() -> None:
    losses = np.random.default_rng(1).exponential(0.5, 200)
    first, again, other = (fired(detector("kswin", seed=seed), losses) for seed in (2, 2, 1))
    assert first == again == [157]
    assert other == []


@pytest.mark.parametrize("name", sorted(ERROR_DETECTORS))
def test_a_detector_of_errors_refuses_a_loss_that_is_none(name: str) -> None:
    with pytest.raises(LossRefused, match=f"'{name}' .* the loss 0.25; give it errors"):
        detector(name).update(0.25)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(DetectorError, match=r"no detector is called 'adwin2'; choose among adwin, .*kswin"):
        detector("adwin2")


def test_without_river_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "river", None)
    monkeypatch.delitem(sys.modules, "river.drift")
    sentence = r"'adwin' needs the extra .* install automl-stream\[detectors\]"
    for asked in (detector, lambda name: require_detectors([name])):
        with pytest.raises(DetectorsUnavailable, match=sentence):
            asked("adwin")
    require_detectors([])


def test_river_is_imported_by_the_first_detector_only() -> None:
    lines = ("import sys", "import drift.detectors.detector_set", "sys.exit('river' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", "; ".join(lines)], check=False).returncode == 0


def rows(losses: Iterable[float], first: int = 0, step: int = 1) -> list[LossRow]:
    """Losses over a half are wrong answers."""
    return [LossRow(first + step * number, loss, wrong=loss > 0.5) for number, loss in enumerate(losses)]


def firings_of(watch: DetectorSet, watched: Iterable[LossRow]) -> list[Firing]:
    return [firing for row in watched for firing in watch.update(row)]


def test_a_set_says_which_detector_fired_at_which_offset() -> None:
    firings = firings_of(DetectorSet([detector(name) for name in FAST]), rows(CHANGING, 1000, 3))
    for name in FAST:
        offsets = [firing.offset for firing in firings if firing.detector == name]
        assert offsets == [1000 + 3 * row for row in fired(detector(name), CHANGING)] != []
    assert firings == sorted(firings, key=lambda firing: firing.offset)


@pytest.mark.parametrize("name", sorted(ERROR_DETECTORS))
def test_a_detector_of_errors_takes_whether_the_answer_was_wrong_and_not_how_wrong(name: str) -> None:
    watched = [row._replace(loss=0.3 + row.loss) for row in rows(CHANGING)]
    found = [firing.offset for firing in firings_of(DetectorSet([detector(name)]), watched)]
    assert found == fired(detector(name), CHANGING) != []


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "kswin"])
def test_a_firing_says_whether_the_loss_rose_or_fell(name: str) -> None:
    higher, lower = np.random.default_rng(3).normal([[2.0], [0.3]], 0.1, (2, 300)).clip(0)
    for first, then in ((lower, higher), (higher, lower)):
        firing = firings_of(DetectorSet([detector(name)]), rows([*first, *then]))[0]
        assert firing.offset >= 300
        assert firing.rose == (then is higher)


@settings(deadline=None, max_examples=5)
@given(at=st.lists(st.tuples(st.integers(0, ROWS), st.sampled_from([nan, inf, -inf])), max_size=30))
def test_rows_without_a_finite_loss_change_no_firing_of_a_set(at: list[tuple[int, float]]) -> None:
    clean = rows(CHANGING, step=100)
    bad = [LossRow(100 * row + 1 + number, loss, wrong=True) for number, (row, loss) in enumerate(at)]
    clean_set, mixed_set = (DetectorSet([detector(name) for name in FAST]) for _ in range(2))
    assert firings_of(mixed_set, sorted([*clean, *bad])) == firings_of(clean_set, clean) != []
    assert set(mixed_set.skipped.values()) == {len(bad)}


def test_a_set_counts_what_each_detector_skipped() -> None:
    watch = DetectorSet([detector("adwin"), detector("ddm")])
    assert firings_of(watch, rows([nan] * 3)) == []
    assert watch.skipped == {"adwin": 3, "ddm": 3}


@pytest.mark.parametrize("offset", [6, 7])
def test_a_set_refuses_a_row_that_comes_late_or_twice(offset: int) -> None:
    watch = DetectorSet([])
    watch.update(LossRow(7, 0.0, wrong=False))
    with pytest.raises(OffsetError, match=f"at offset {offset} comes after the one at 7"):
        watch.update(LossRow(offset, 0.0, wrong=False))


def test_a_set_refuses_two_detectors_of_one_name() -> None:
    with pytest.raises(DetectorError, match="name each once"):
        DetectorSet([detector("adwin"), detector("adwin")])


class EveryTenth:
    """Fires at every tenth loss; skips negative ones."""

    name = "tenth"

    def __init__(self) -> None:
        self.seen = self.skipped = 0

    def update(self, loss: float) -> bool:
        self.skipped += loss < 0
        self.seen += loss >= 0
        return loss >= 0 and self.seen % 10 == 0


def test_false_alarms_are_counted_over_the_rows_that_were_judged() -> None:
    found = measure_false_alarms(DetectorSet([EveryTenth()]), rows([-1.0] * 5 + [1.0] * 200))
    assert found == [FalseAlarms(detector="tenth", rows=200, alarms=20)]
    assert found[0].rate == 0.1


def test_detectors_differ_in_their_false_alarms_on_the_same_steady_errors() -> None:
    steady = errors(0.3, 4000)
    fresh = DetectorSet([detector(name) for name in FAST])
    found = {each.detector: each for each in measure_false_alarms(fresh, rows(steady))}
    assert {each.rows for each in found.values()} == {4000}
    assert found["eddm"].rate > found["adwin"].upper_bound


@given(st.integers(0, 50), st.integers(1, 10**6))
def test_the_bound_is_the_rate_at_which_so_few_alarms_have_five_percent(alarms: int, rows: int) -> None:
    bound = FalseAlarms(detector="ddm", rows=rows, alarms=alarms).upper_bound
    assert bound == 1 or poisson.cdf(alarms, bound * rows) == pytest.approx(0.05)
    assert bound == 1 or bound > alarms / rows


@pytest.mark.parametrize("losses", [[], [nan, nan]])
def test_false_alarms_need_losses(losses: list[float]) -> None:
    with pytest.raises(DetectorError, match=f"none of {len(losses)} losses is usable"):
        measure_false_alarms(DetectorSet([detector("adwin")]), rows(losses))


