"""The decision at a closed window."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from drift.cells import FeatureKind
from drift.counts import CellCounter
from drift.decision import Decider, DecisionSettings, decide
from drift.errors import CountsError
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from drift.verdict import Contrast, FeatureVerdict, Verdict

Profiled = Callable[..., ReferenceProfile]
Columns = Mapping[str, Any]

SETTINGS = DecisionSettings(budget_windows=1000)
KINDS: dict[str, FeatureKind] = {
    "normal": "number",
    "constant": "number",
    "never": "number",
    "gappy": "number",
    "colour": "category",
    "on": "boolean",
}


def world(rng: np.random.Generator, rows: int) -> Columns:
    """One kind of feature each: normal, constant, always missing, 1 % missing, four categories, a boolean."""
    gappy = rng.normal(size=rows)
    gappy[rng.random(rows) < 0.01] = np.nan
    return {
        "normal": rng.normal(size=rows),
        "constant": np.full(rows, 3.0),
        "never": np.full(rows, np.nan),
        "gappy": gappy,
        "colour": rng.choice(["red", "green", "blue", "white"], rows).tolist(),
        "on": (rng.random(rows) < 0.5).tolist(),
    }


class World:
    """A reference of 2,000 rows, three quiet windows of 100, and whatever comes next."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)
        reference = world(self._rng, 2000)
        self.profile = build_profile(
            [FeatureColumn(name=name, kind=kind, values=reference[name]) for name, kind in KINDS.items()]
        )
        self._counter = CellCounter(self.profile)
        self._quiet = [self.count(self.window()) for _ in range(3)]

    def window(self, rows: int = 100) -> Columns:
        return world(np.random.default_rng(int(self._rng.integers(1 << 30))), rows)

    def count(self, columns: Columns) -> np.ndarray:
        numbers = np.stack([columns[name] for name, kind in KINDS.items() if kind == "number"], axis=1)
        others = [columns[name] for name, kind in KINDS.items() if kind != "number"]
        return self._counter.count(self._counter.indices(numbers, others))

    def then(self, *windows: Columns) -> Verdict:
        return decide(self.profile, np.stack([*self._quiet, *map(self.count, windows)]), SETTINGS)


@pytest.fixture
def quiet() -> World:
    return World()


def winner(verdict: Verdict) -> FeatureVerdict:
    return verdict.features[0]


def test_a_quiet_window_raises_no_alarm(quiet: World) -> None:
    verdict = quiet.then(quiet.window())
    assert not verdict.alarm
    assert verdict.onset is None
    assert verdict.words == "No drift in 100 rows."


def test_an_empty_window_says_no_data_and_no_alarm_even_after_drift(quiet: World) -> None:
    drifted = {**quiet.window(), "constant": np.full(100, 3.1)}
    for verdict in (quiet.then(quiet.window(0)), quiet.then(drifted, quiet.window(0))):
        assert verdict.no_data
        assert not verdict.alarm
        assert verdict.words == "No data: the window has 0 rows, too few to judge."
        assert all(feature.missing == feature.effect == feature.log_p == 0 for feature in verdict.features)


def test_one_row_far_out_says_no_data_and_no_alarm(quiet: World) -> None:
    outlier = {**quiet.window(1), **{name: np.full(1, 100.0) for name, kind in KINDS.items() if kind == "number"}}
    verdict = quiet.then(outlier)
    assert verdict.no_data
    assert not verdict.alarm
    assert verdict.words == "No data: the window has 1 row, too few to judge."


@pytest.mark.parametrize(
    ("name", "values", "contrast", "said"),
    [
        ("constant", np.full(100, 3.1), "outside", "constant is more often out of range, above 3 by"),
        ("constant", np.full(100, 2.9), "outside", "constant is more often out of range, below 3 by"),
        ("constant", np.tile([2.9, 3.1], 50), "cell", "constant is less often = 3 by"),
        ("normal", np.full(100, np.nan), "missing", "normal is missing more often by"),
        ("never", np.full(100, 1.0), "missing", "never is missing less often by"),
        (
            "colour",
            ["mauve"] * 6 + ["red", "green", "blue", "white"] * 23 + ["red"] * 2,
            "outside",
            "colour is more often an unknown category by",
        ),
        ("on", [True] * 90 + [False] * 10, "cell", "on is more often true by"),
    ],
)
def test_a_sudden_change_alarms_in_its_window(
    quiet: World, name: str, values: Sequence, contrast: str, said: str
) -> None:
    verdict = quiet.then({**quiet.window(), name: values})
    assert verdict.alarm
    assert verdict.onset == 0
    assert (winner(verdict).name, winner(verdict).contrast, winner(verdict).scale) == (name, contrast, 1)
    assert said in verdict.words
    assert not any(feature.alarm for feature in verdict.features[1:])


def test_missing_from_1_to_8_per_cent_of_200_rows_alarms_in_its_window(quiet: World) -> None:
    verdict = quiet.then({**quiet.window(200), "gappy": np.append(np.full(16, np.nan), np.linspace(-1.9, 1.9, 184))})
    assert verdict.alarm
    assert (winner(verdict).name, winner(verdict).contrast, verdict.onset) == ("gappy", "missing", 0)
    assert "gappy is missing more often by" in verdict.words


def test_the_missing_share_is_of_the_closed_window(quiet: World) -> None:
    verdict = quiet.then({**quiet.window(), "normal": np.append(np.full(25, np.nan), np.zeros(75))})
    shares = {feature.name: feature.missing for feature in verdict.features}
    assert (shares["normal"], shares["never"], shares["constant"]) == (0.25, 1.0, 0.0)
    assert {feature.rows for feature in verdict.features} == {100}


def test_small_windows_alarm_only_together(quiet: World) -> None:
    small = [{**quiet.window(20), "constant": np.full(20, 3.1)} for _ in range(2)]
    only = np.stack([quiet.count(window) for window in small])
    assert not decide(quiet.profile, only[:1], SETTINGS).alarm
    together = decide(quiet.profile, only, SETTINGS)
    assert together.no_data
    assert together.alarm
    assert winner(together).scale == 2
    assert together.onset == 1


@pytest.mark.parametrize(("contrast", "kind"), [
    ("missing", "missing"), ("outside", "schema"), ("cell", "covariate"), ("scale", "covariate"), (None, "covariate"),
])
def test_the_kind_of_a_change_follows_from_the_contrast_that_won(contrast: Contrast | None, kind: str) -> None:
    assert FeatureVerdict(name="a", rows=1, missing=0.0, uncalibrated=None, contrast=contrast).kind == kind


def test_a_category_that_is_called_other_is_a_known_one() -> None:
    values = ["other", "some"] * 500
    profile = build_profile([FeatureColumn(name="c", kind="category", values=values)])
    verdict = decide(profile, np.array([[100, 0, 0, 0]]), SETTINGS)
    assert (winner(verdict).contrast, winner(verdict).cell) == ("cell", "other")
    assert "c is more often other by" in verdict.words


def slowly(profiled: Profiled, shift: float) -> tuple[ReferenceProfile, np.ndarray]:
    """Three features and 40 windows of 100 rows; the second feature moves in the last 16."""
    rng = np.random.default_rng(5)
    profile, rows = profiled(rng.normal(size=(5000, 3))), rng.normal(size=(4000, 3))
    rows[2400:, 1] += shift
    counter = CellCounter(profile)
    return profile, np.stack([counter.count(counter.indices(part, [])) for part in np.split(rows, 40)])


def test_a_slow_change_is_found_by_pooling_and_its_onset_estimated(profiled: Profiled) -> None:
    verdict = decide(*_ordered(slowly(profiled, 0.2)))
    assert verdict.alarm
    assert winner(verdict).name == "f001"
    assert winner(verdict).contrast == "location"
    assert verdict.onset == pytest.approx(15, abs=1)
    assert winner(verdict).effect == pytest.approx(0.2, abs=0.08)
    assert "f001 moved up by" in verdict.words
    assert "over the last 16 windows" in verdict.words


def _ordered(pair: tuple[ReferenceProfile, np.ndarray]) -> tuple[ReferenceProfile, np.ndarray, DecisionSettings]:
    return (*pair, SETTINGS)


def test_deciding_is_repeatable_and_forgets_what_is_older_than_the_longest_scale(profiled: Profiled) -> None:
    profile, history = slowly(profiled, 0.2)
    decider = Decider(profile, SETTINGS)
    once = decider.decide(history)
    decider.decide(history[:7])
    assert decider.decide(history) == once == decide(profile, history.copy(), SETTINGS)
    short = DecisionSettings(budget_windows=1000, scales=3)
    assert decide(profile, history, short) == decide(profile, history[-short.history_windows :], short)


def test_the_order_of_features_changes_nothing(profiled: Profiled) -> None:
    profile, history = slowly(profiled, 0.2)
    order = [2, 0, 1]
    cells = np.split(np.arange(profile.size), profile.offsets[1:-1])
    turned = ReferenceProfile(features=tuple(profile.features[index] for index in order))
    one = decide(profile, history, SETTINGS)
    other = decide(turned, history[:, np.concatenate([cells[index] for index in order])], SETTINGS)
    assert other.words == one.words
    for left, right in zip(one.features, other.features, strict=True):
        assert (left.name, left.alarm, left.scale) == (right.name, right.alarm, right.scale)
        assert left.log_p == pytest.approx(right.log_p, rel=1e-9)


def test_an_uncalibrated_feature_is_shown_and_does_not_alarm(profiled: Profiled) -> None:
    profile, history = slowly(profiled, 3.0)
    marked = tuple(msgspec.structs.replace(feature, uncalibrated="too short") for feature in profile.features)
    verdict = decide(ReferenceProfile(features=marked), history, SETTINGS)
    assert verdict.significant
    assert not verdict.alarm
    assert winner(verdict).uncalibrated == "too short"
    assert verdict.words.startswith("No alarm: f001 moved up")
    assert verdict.words.endswith("but it is uncalibrated.")


@pytest.mark.parametrize(("shift", "min_effect", "reason"), [
    (-3.0, 0.05, "only a rise of its level alarms"),
    (3.0, 100.0, "it is too small to matter"),
])
def test_of_what_alarms_only_where_it_rises_a_large_fall_is_not_called_small(
        profiled: Profiled, shift: float, min_effect: float, reason: str) -> None:
    profile, history = slowly(profiled, shift)
    marked = tuple(msgspec.structs.replace(feature, only_higher=True) for feature in profile.features)
    settings = msgspec.structs.replace(SETTINGS, min_effect=min_effect)
    verdict = decide(ReferenceProfile(features=marked), history, settings)
    assert verdict.words.startswith(f"No alarm: f001 moved {'up' if shift > 0 else 'down'} by")
    assert verdict.words.endswith(f", but {reason}.")


def test_the_budget_is_shared_by_windows_features_and_scales(profiled: Profiled) -> None:
    profile, history = slowly(profiled, 0.0)
    assert decide(profile, history, SETTINGS).threshold == pytest.approx(-np.log(1000 * 3 * 12))


def test_pooling_stops_at_eight_references_but_the_closed_window_is_always_judged(profiled: Profiled) -> None:
    rng = np.random.default_rng(6)
    profile = profiled(rng.normal(size=(100, 1)))
    counter = CellCounter(profile)
    parts = [counter.count(counter.indices(rng.normal(3, 1, size=(900, 1)), [])) for _ in range(4)]
    verdict = decide(profile, np.stack(parts), SETTINGS)
    assert verdict.alarm
    assert winner(verdict).scale == 1


def test_a_change_of_a_hundredth_in_a_million_rows_is_significant_and_no_alarm(profiled: Profiled) -> None:
    rng = np.random.default_rng(7)
    profile = profiled(rng.normal(size=(1_000_000, 1)))
    counter = CellCounter(profile)
    small, large = (counter.count(counter.indices(rng.normal(mu, 1, (1_000_000, 1)), [])) for mu in (0.01, 0.1))
    verdict = decide(profile, small[None], SETTINGS)
    assert verdict.significant
    assert not verdict.alarm
    assert verdict.words.endswith("but it is too small to matter.")
    assert decide(profile, small[None], msgspec.structs.replace(SETTINGS, min_effect=0.0)).alarm
    assert decide(profile, large[None], SETTINGS).alarm


@pytest.mark.parametrize("shape", [(0, 69), (2, 3), (69,)])
def test_counts_of_another_profile_are_refused(profiled: Profiled, shape: tuple[int, ...]) -> None:
    profile = profiled(np.random.default_rng(8).normal(size=(500, 3)))
    with pytest.raises(CountsError, match="never mix profiles"):
        decide(profile, np.zeros(shape, np.int64), SETTINGS)


def test_one_window_of_100_features_and_seven_scales_takes_at_most_50_ms(profiled: Profiled) -> None:
    rng = np.random.default_rng(9)
    profile = profiled(rng.normal(size=(2000, 100)))
    counter, decider = CellCounter(profile), Decider(profile, SETTINGS)
    history = np.stack([counter.count(counter.indices(rng.normal(size=(100, 100)), [])) for _ in range(64)])
    started = time.process_time()
    for _ in range(5):
        decider.decide(history)
    assert (time.process_time() - started) / 5 < 0.05
