"""No labeller has more than its share of what trains, and nothing is left out that need not be."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trainer.quota import within_quota

QUOTA = st.floats(0.01, 1)


@given(st.lists(st.sampled_from([None, "", "a", "b", "c"]), max_size=80), QUOTA)
def test_nobody_has_more_than_the_quota_and_one_row_more_would_break_it(labellers: list[str | None],
                                                                        quota: float) -> None:
    kept = within_quota(labellers, quota)
    assert kept == sorted(set(kept))
    counts = Counter(labellers[place] for place in kept)
    all_counts = Counter(labellers)
    own = counts.pop(None, 0)
    assert own == all_counts.pop(None, 0)
    assert all(count <= quota * len(kept) + 1e-6 for count in counts.values())
    most = max(counts.values(), default=0)
    stays = own + sum(min(count, most + 1) for count in all_counts.values())
    assert most == max(all_counts.values(), default=0) or most + 1 > quota * stays


@given(st.lists(st.sampled_from([None, "a", "b"]), max_size=80), QUOTA)
def test_of_each_labeller_the_newest_rows_stay(labellers: list[str | None], quota: float) -> None:
    kept = set(within_quota(labellers, quota))
    for name in ("a", "b"):
        places = [place for place, labeller in enumerate(labellers) if labeller == name]
        own = [place in kept for place in places]
        assert own == sorted(own)


def test_a_whole_share_leaves_everything() -> None:
    assert within_quota(["a"] * 5, 1.0) == list(range(5))
