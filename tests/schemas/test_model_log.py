"""The fold of `model-updates` against a fold written as the sentence reads."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.messages import Artifact, ModelAnnouncement
from schemas.model_log import NO_EPOCH, ModelLog


def announcement(replaces: int, profile: str = "p", slot: Literal["champion", "canary"] = "champion",
                 share: float = 0.1) -> ModelAnnouncement:
    return ModelAnnouncement(slot=slot, share=share, replaces=replaces, version="1",
                             model=Artifact(digest="m", size=1, offset=0),
                             profile=Artifact(digest=profile, size=1, offset=0), reason="", decision_id="",
                             issued_at=0)


def folded(announcements: list[ModelAnnouncement]) -> ModelLog:
    log = ModelLog()
    for epoch, one in enumerate(announcements):
        log.offer(epoch, one)
    return log


logs = st.lists(st.builds(announcement, st.integers(-1, 12), st.sampled_from("ab"),
                          st.sampled_from(["champion", "champion", "champion", "canary"])), max_size=12)


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


def canary(replaces: int, share: float = 0.1) -> ModelAnnouncement:
    return announcement(replaces, profile="another", slot="canary", share=share)


def served(log: ModelLog, epoch: int) -> tuple[int, int, int | None] | None:
    found = log.serving(epoch)
    return found and (found.epoch, found.champion.epoch, found.canary.epoch if found.canary else None)


def test_a_canary_serves_beside_its_champion_until_it_is_withdrawn_or_the_champion_changes() -> None:
    log = folded([announcement(-1), canary(0), canary(1, share=0.5), canary(2, share=0), canary(3), announcement(0)])
    assert [served(log, epoch) for epoch in range(-1, 7)] == [
        None, (0, 0, None), (1, 0, 1), (2, 0, 2), (3, 0, None), (4, 0, 4), (5, 5, None), (5, 5, None)]
    assert log.latest == 5
    assert log.epochs() == [5, 4, 3, 2, 1, 0]


def test_a_canary_without_a_champion_or_beside_another_one_or_said_again_loses() -> None:
    assert folded([canary(-1)]).canaries == []
    assert [c.epoch for c in folded([announcement(-1), announcement(0), canary(0), canary(1)]).canaries] == [3]
    assert [c.epoch for c in folded([announcement(-1), canary(0), canary(1, share=0), canary(0)]).canaries] == [1, 2]


def test_the_rows_of_a_canary_count_under_the_profile_of_its_champion() -> None:
    log = folded([announcement(-1, "a"), announcement(0, "b"), announcement(1, "b"), canary(2)])
    assert [c.profile_epoch for c in log.canaries] == [1]


def test_bytes_that_are_no_announcement_lose_and_the_log_goes_on() -> None:
    log = ModelLog()
    taken = [log.read(epoch, record) for epoch, record in enumerate(
        [b"{", None, b'{"replaces":-1}', encode(announcement(-1)), b"\xff", encode(announcement(3))])]
    assert taken == [False, False, False, True, False, True]
