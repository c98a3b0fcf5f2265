"""The completed prefix, for any order of completion."""

from hypothesis import given
from hypothesis import strategies as st

from stream_apps.transport.prefix import Prefix

ends = st.lists(st.integers(0, 10_000), unique=True, min_size=1, max_size=30).map(sorted)


@given(ends=ends, data=st.data())
def test_only_the_prefix_without_a_gap_is_committable(ends: list[int], data: st.DataObject) -> None:
    prefix = Prefix()
    slots = [prefix.read(end) for end in ends]
    order = data.draw(st.permutations(range(len(ends))))
    done: set[int] = set()
    for index in order:
        prefix.complete(slots[index])
        done.add(index)
        gapless = next((n for n in range(len(ends)) if n not in done), len(ends))
        assert prefix.end == (ends[gapless - 1] if gapless else None)
        assert prefix.pending == len(ends) - gapless


@given(ends=ends, data=st.data())
def test_reading_on_while_chunks_complete_never_commits_past_an_incomplete_one(
    ends: list[int], data: st.DataObject
) -> None:
    prefix = Prefix()
    waiting = {}
    for end in ends:
        waiting[end] = prefix.read(end)
        for finished in data.draw(st.sets(st.sampled_from(sorted(waiting)))):
            prefix.complete(waiting.pop(finished))
            assert all(prefix.end < other for other in waiting) if prefix.end is not None else True
            if not waiting:
                break
        if not waiting:
            assert prefix.end == end


def test_completing_a_chunk_twice_changes_nothing() -> None:
    prefix = Prefix()
    first, second = prefix.read(10), prefix.read(20)
    prefix.complete(first)
    prefix.complete(first)
    assert (prefix.end, prefix.pending) == (10, 1)
    prefix.complete(second)
    prefix.complete(first)
    assert (prefix.end, prefix.pending) == (20, 0)
