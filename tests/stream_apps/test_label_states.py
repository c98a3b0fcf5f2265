"""What is kept of an event is the first label of its highest revision, and whether another contradicts it."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stream_apps.label_states import StoredLabel, placed

LABELS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=1, max_size=12)


def stored(revision: int, value: str) -> StoredLabel:
    return StoredLabel(entity="x", event_id="e", ts=0, label=value, revision=revision, labeller="", partition=0,
                       block=None, block_size=None)


@given(LABELS)
def test_every_label_has_one_state_and_what_is_kept_is_what_they_come_to(labels: list[tuple[int, str]]) -> None:
    kept, states = None, Counter[str]()
    for revision, value in labels:
        state, kept = placed(kept, stored(revision, value))
        states[state] += 1
    highest = [value for revision, value in labels if revision == max(labels)[0]]
    assert kept is not None
    assert (kept.revision, kept.label, kept.conflict) == (max(labels)[0], highest[0], len(set(highest)) > 1)
    assert states.total() == len(labels)
    assert states["new"] == 1
    assert states["revision"] == sum(r > max((s for s, _ in labels[:k]), default=r) for k, (r, _) in enumerate(labels))


@given(LABELS)
def test_labels_that_are_read_again_change_nothing(labels: list[tuple[int, str]]) -> None:
    kept = None
    for revision, value in labels:
        _, kept = placed(kept, stored(revision, value))
    for revision, value in labels:
        state, again = placed(kept, stored(revision, value))
        assert again == kept
        assert state in {"duplicate", "conflict", "outdated"}
