"""Counting rows into cells."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.cells import number_cells
from drift.counts import CellCounter
from drift.errors import CountsError
from drift.profile import FeatureColumn, ReferenceProfile, build_profile

ROWS = 300


def mixed(seed: int, rows: int = ROWS) -> tuple[np.ndarray, list[list[str | bool | None]]]:
    rng = np.random.default_rng(seed)
    numbers = np.stack((rng.normal(size=rows), rng.poisson(2, rows).astype(float)), axis=1)
    numbers[rng.random(numbers.shape) < 0.05] = np.nan
    colours = rng.choice(np.array(["red", "green", "blue", None], dtype=object), rows).tolist()
    return numbers, [colours, rng.choice(np.array([True, False, None], dtype=object), rows).tolist()]


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    numbers, (colours, flags) = mixed(0)
    return build_profile(
        [
            FeatureColumn(name="x", kind="number", values=numbers[:, 0]),
            FeatureColumn(name="colour", kind="category", values=colours),
            FeatureColumn(name="calls", kind="number", values=numbers[:, 1]),
            FeatureColumn(name="flag", kind="boolean", values=flags),
        ]
    )


def test_the_reference_counts_again_as_it_was_counted(profile: ReferenceProfile) -> None:
    counter = CellCounter(profile)
    counted = counter.count(counter.indices(*mixed(0)))
    assert counted.tolist() == [count for feature in profile.features for count in feature.counts]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_partitioning_gives_the_counts_of_a_recount(profile: ReferenceProfile, data: st.DataObject) -> None:
    counter = CellCounter(profile)
    indices = counter.indices(*mixed(data.draw(st.integers(1, 5))))
    part = np.array(data.draw(st.lists(st.integers(0, 3), min_size=ROWS, max_size=ROWS)))
    parts = [counter.count(indices[part == which]) for which in data.draw(st.permutations(range(4)))]
    recount = counter.count(indices)
    assert ((parts[0] + parts[1]) + (parts[2] + parts[3])).tolist() == recount.tolist()
    assert sum(parts[::-1], np.zeros(profile.size, np.int64)).tolist() == recount.tolist()


numbers = st.floats(width=64) | st.sampled_from([0.0, 1.0, 2.0, np.nan, np.inf, -np.inf])
some_rows = st.lists(
    st.tuples(numbers, st.sampled_from(["red", "mauve", "", None]), numbers, st.sampled_from([True, False, None])),
    max_size=20,
)


def counted(profile: ReferenceProfile, rows: Sequence[tuple]) -> np.ndarray:
    counter = CellCounter(profile)
    x, colours, calls, flags = ([row[index] for row in rows] for index in range(4))
    return counter.count(counter.indices(np.array([x, calls], dtype=np.float64).T, [colours, flags]))


@settings(deadline=None)
@given(some_rows, some_rows, some_rows)
def test_adding_counts_is_commutative_and_associative_and_is_counting_the_rows_together(
    profile: ReferenceProfile, one: list[tuple], two: list[tuple], three: list[tuple]
) -> None:
    a, b, c = (counted(profile, rows) for rows in (one, two, three))
    assert (a + b).tolist() == (b + a).tolist() == counted(profile, two + one).tolist()
    assert ((a + b) + c).tolist() == (a + (b + c)).tolist() == counted(profile, one + two + three).tolist()
    assert (a + counted(profile, [])).tolist() == a.tolist()


@pytest.mark.parametrize("chunk", [1, 7, ROWS])
def test_chunks_of_any_size_find_the_same_cells(profile: ReferenceProfile, chunk: int) -> None:
    counter = CellCounter(profile)
    numbers, columns = mixed(6)
    whole = counter.indices(numbers, columns)
    pieces = [slice(start, start + chunk) for start in range(0, ROWS, chunk)]
    again = [counter.indices(numbers[piece], [column[piece] for column in columns]) for piece in pieces]
    assert np.concatenate(again).tolist() == whole.tolist()
    assert whole.dtype == np.int32


def test_the_fast_comparison_finds_the_cells_of_the_binary_search() -> None:
    rng = np.random.default_rng(7)
    numbers = np.round(rng.standard_cauchy((5000, 9)), 1)  # many values lie on an edge
    numbers[rng.random(numbers.shape) < 0.01] = np.inf
    features = [FeatureColumn(name=str(each), kind="number", values=numbers[:, each]) for each in range(9)]
    profile = build_profile(features)
    found = CellCounter(profile).indices(numbers, [])
    for each, feature in enumerate(profile.features):
        expected = number_cells(feature.edges, numbers[:, each]) + profile.offsets[each]
        assert found[:, each].tolist() == expected.tolist()


def test_an_unseen_category_is_other_and_none_is_missing(profile: ReferenceProfile) -> None:
    found = CellCounter(profile).indices(np.array([[np.nan, -5.0]]), [["purple"], [None]])
    within = found[0] - profile.offsets[:-1]
    labels = [feature.labels[cell] for feature, cell in zip(profile.features, within, strict=True)]
    assert labels == ["missing", "other", "below 0", "missing"]


def test_no_rows_count_nothing(profile: ReferenceProfile) -> None:
    counter = CellCounter(profile)
    assert not counter.count(counter.indices(np.zeros((0, 2)), [[], []])).any()


@pytest.mark.parametrize(
    "give",
    [
        lambda numbers, columns: (numbers[:, :1], columns),
        lambda numbers, columns: (numbers.astype(np.float32), columns),
        lambda numbers, columns: (numbers, columns[:1]),
        lambda numbers, columns: (numbers, [columns[0], columns[1][:-1]]),
    ],
)
def test_rows_that_do_not_fit_the_profile_are_refused(profile: ReferenceProfile, give: Callable) -> None:
    with pytest.raises(CountsError):
        CellCounter(profile).indices(*give(*mixed(8)))
