"""The fold of `model-updates` against a fold written as the sentence reads."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.messages import Artifact, ModelAnnouncement
from schemas.model_log import NO_EPOCH, ModelLog


def announcement(replaces: int, profile: str = "p", slot: str = "champion") -> ModelAnnouncement:
    return ModelAnnouncement(slot=slot, replaces=replaces, version="1", model=Artifact(digest="m", size=1, offset=0),
                             profile=Artifact(digest=profile, size=1, offset=0), reason="", decision_id="",
                             issued_at=0)


def folded(announcements: list[ModelAnnouncement]) -> ModelLog:
    log = ModelLog()
    for epoch, one in enumerate(announcements):
        log.offer(epoch, one)
    return log


logs = st.lists(st.builds(announcement, st.integers(-1, 12), st.sampled_from("ab"),
                          st.sampled_from(["champion", "champion", "champion", "other"])), max_size=12)


@given(logs)
def test_the_accepted_are_a_chain_in_which_each_replaces_the_one_before(announcements: list[ModelAnnouncement]) -> None:
    chain, current = [], NO_EPOCH
    for epoch, one in enumerate(announcements):
        if one.slot == "champion" and one.replaces == current:
            current = epoch
            chain.append(epoch)
    log = folded(announcements)
    assert [a.epoch for a in log.accepted] == chain
    assert log.epoch == current


@given(logs)
def test_a_profile_keeps_the_epoch_that_brought_it_until_another_one_comes(
        announcements: list[ModelAnnouncement]) -> None:
    accepted = folded(announcements).accepted
    for k, one in enumerate(accepted):
        digests = [a.announcement.profile.digest for a in accepted[: k + 1]]
        first = max((i + 1 for i in range(k) if digests[i] != digests[k]), default=0)
        assert one.profile_epoch == accepted[first].epoch


@given(logs, st.data())
def test_a_record_offered_again_changes_nothing(announcements: list[ModelAnnouncement], data: st.DataObject) -> None:
    log = folded(announcements)
    before = list(log.accepted)
    for epoch in data.draw(st.lists(st.sampled_from(range(len(announcements))))) if announcements else []:
        if epoch <= log.epoch:
            assert not log.offer(epoch, announcements[epoch])
    assert log.accepted == before


def test_of_two_trainers_that_replace_the_same_model_the_second_in_the_log_loses() -> None:
    log = folded([announcement(-1), announcement(0), announcement(0), announcement(1)])
    assert [a.epoch for a in log.accepted] == [0, 1, 3]
    assert log.find(2) is None
    assert log.find(3) is log.current


def test_an_announcement_of_another_slot_is_not_this_slots_business() -> None:
    assert folded([announcement(-1, slot="other")]).current is None


def test_bytes_that_are_no_announcement_lose_and_the_log_goes_on() -> None:
    log = ModelLog()
    taken = [log.read(epoch, record) for epoch, record in enumerate(
        [b"{", None, b'{"replaces":-1}', encode(announcement(-1)), b"\xff", encode(announcement(3))])]
    assert taken == [False, False, False, True, False, True]
