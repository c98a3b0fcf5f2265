"""Reference profiles."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.cells import MAX_CATEGORIES, number_cells
from drift.errors import ProfileError
from drift.profile import FeatureColumn, FeatureProfile, ReferenceProfile, build_profile
from schemas.pipeline import MOST_CELLS

Profiled = Callable[..., ReferenceProfile]

labels = st.one_of(st.none(), st.text(max_size=3))


@st.composite
def columns(draw: st.DrawFn) -> list[FeatureColumn]:
    rows = draw(st.integers(1, 40))

    def column(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    return [
        FeatureColumn(name="n", kind="number", values=np.array(column(st.floats()))),
        FeatureColumn(name="c", kind="category", values=column(labels)),
        FeatureColumn(name="b", kind="boolean", values=column(st.sampled_from([True, False, None]))),
    ]


@settings(deadline=None, max_examples=40)
@given(columns())
def test_decoding_gives_back_what_was_encoded(features: list[FeatureColumn]) -> None:
    profile = build_profile(features)
    assert ReferenceProfile.decode(profile.encode()) == profile
    assert ReferenceProfile.decode(profile.encode()).digest == profile.digest


@settings(deadline=None, max_examples=40)
@given(columns())
def test_every_feature_counts_every_reference_row_once(features: list[FeatureColumn]) -> None:
    profile = build_profile(features)
    rows = len(features[0].values)
    assert profile.rows == rows
    assert [feature.rows for feature in profile.features] == [rows] * 3
    assert profile.offsets.tolist()[-1] == profile.size
    assert [len(feature.labels) for feature in profile.features] == np.diff(profile.offsets).tolist()


def test_the_digest_is_the_sha256_of_the_bytes_and_the_same_for_the_same_rows(profiled: Profiled) -> None:
    rows = np.random.default_rng(0).normal(size=(500, 3))
    profile = profiled(rows)
    assert profile.digest == hashlib.sha256(profile.encode()).hexdigest()
    assert profile.digest == profiled(rows.copy()).digest
    assert profile.digest != profiled(rows + 1).digest


def test_a_profile_is_bounded_whatever_the_categories() -> None:
    values = [f"{'long' * 100}{index}" for index in range(5000)] + [f"id{index}" for index in range(5000)]
    profile = build_profile([FeatureColumn(name="id", kind="category", values=values)])
    assert profile.size == MAX_CATEGORIES + 2
    assert profile.features[0].counts[-2] == 10_000 - MAX_CATEGORIES
    assert len(profile.encode()) < 4000


def test_a_reference_worth_fewer_than_20_independent_rows_is_uncalibrated(profiled: Profiled) -> None:
    steps = np.random.default_rng(1).normal(size=2000)
    walk, white, short = profiled(np.stack((np.cumsum(steps), steps), axis=1)).features, steps, steps[:19]
    assert [feature.calibrated for feature in walk] == [False, True]
    assert "longer or phase-matched reference" in (walk[0].uncalibrated or "")
    assert profiled(white[:, None]).features[0].calibrated
    assert not profiled(short[:, None]).features[0].calibrated


@pytest.mark.parametrize(("cycle", "calibrated"), [(None, True), (100, True), (101, False)])
def test_a_reference_must_cover_three_of_the_declared_cycles(cycle: int | None, calibrated: bool) -> None:
    values = np.random.default_rng(2).normal(size=300)
    column = FeatureColumn(name="x", kind="number", values=values)
    (feature,) = build_profile([column], longest_cycle=cycle).features
    assert feature.calibrated is calibrated
    assert (feature.uncalibrated is None) is calibrated


def test_profiles_can_be_joined_feature_by_feature(profiled: Profiled) -> None:
    rows = np.random.default_rng(3).normal(size=(300, 2))
    whole = profiled(rows, ["a", "b"])
    parts = [profiled(rows[:, [index]], [name]) for index, name in enumerate("ab")]
    assert ReferenceProfile(features=tuple(part.features[0] for part in parts)) == whole


def test_the_reference_is_counted_in_double_precision(profiled: Profiled) -> None:
    value = 0.1
    (feature,) = profiled(np.full((50, 1), value)).features
    assert number_cells(feature.edges, np.array([value, float(np.float32(value))])).tolist() == [1, 2]


@pytest.mark.parametrize(
    "features",
    [
        [],
        [FeatureColumn(name="x", kind="number", values=np.zeros(0))],
        [FeatureColumn(name="x", kind="number", values=np.zeros(3))] * 2,
    ],
)
def test_no_features_no_rows_and_a_name_twice_are_refused(features: list[FeatureColumn]) -> None:
    with pytest.raises(ProfileError):
        build_profile(features)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": (1, 2)},
        {"counts": (0, 0, 0, 0)},
        {"counts": (1, 1, 1, -1)},
        {"degrees": (1.0,)},
        {"edges": (2.0, 1.0)},
    ],
)
def test_a_feature_whose_parts_do_not_fit_is_refused(profiled: Profiled, change: dict[str, Any]) -> None:
    (feature,) = profiled(np.full((30, 1), 3.0)).features
    whole = {name: getattr(feature, name) for name in FeatureProfile.__struct_fields__}
    with pytest.raises(ProfileError):
        FeatureProfile(**(whole | change))
    broken = msgspec.json.encode({"features": [whole | change]})
    with pytest.raises(ProfileError, match="no reference profile"):
        ReferenceProfile.decode(broken)


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"v": 2, "features": []}'])
def test_bytes_of_something_else_are_refused(data: bytes) -> None:
    with pytest.raises(ProfileError):
        ReferenceProfile.decode(data)


def test_the_profile_of_10_000_rows_of_100_features_takes_at_most_2_seconds(profiled: Profiled) -> None:
    rows = np.random.default_rng(4).normal(size=(10_000, 100))
    started = time.process_time()
    profiled(rows)
    assert time.process_time() - started < 2


def test_no_feature_has_more_cells_than_a_pipeline_file_is_checked_for() -> None:
    rows = 1_000
    profile = build_profile([
        FeatureColumn(name="a", kind="number", values=np.arange(rows, dtype=np.float64)),
        FeatureColumn(name="b", kind="category", values=[str(row) for row in range(rows)]),
        FeatureColumn(name="c", kind="boolean", values=[row % 2 == 0 for row in range(rows)]),
    ])
    assert {feature.kind: len(feature.counts) for feature in profile.features} == MOST_CELLS
