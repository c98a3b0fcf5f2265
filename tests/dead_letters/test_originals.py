"""What may be sent again, and that each event is sent once."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_stream.dead_letters.letter import Source
from automl_stream.dead_letters.letter_box import Trace
from automl_stream.dead_letters.originals import REPLAYED_FROM, EventRecord, Originals, look_up
from automl_stream.dead_letters.replaying import Candidate, make_plan
from schemas.codec import WATERMARK_HEADER

from .letters import TOPIC_ID, source


def event(offset: int, *headers: tuple[str, bytes]) -> EventRecord:
    return EventRecord(0, offset, headers)


def replay_of(origin: Source) -> tuple[str, bytes]:
    return REPLAYED_FROM, str(origin).encode()


def originals(*records: EventRecord, wanted: Sequence[Source]) -> Originals:
    return look_up(records, TOPIC_ID, wanted)


def candidate(place: Source, *, has_bytes: bool = True) -> Candidate:
    return Candidate((place, place.offset), has_bytes, Trace(place, 0))


@pytest.mark.parametrize(("place", "has_bytes", "fate"), [
    (source(0), True, "send"),
    (source(0), False, "no bytes"),
    (source(1), True, "watermark"),
    (source(2), True, "replayed before"),
    (source(3), True, "replayed before"),
    (source(9), True, "gone"),
    (source(0, topic_id="former"), True, "former topic"),
])
def test_each_letter_has_the_fate_that_events_tells(place: Source, has_bytes: bool, fate: str) -> None:
    found = originals(event(0), event(1, WATERMARK_HEADER), event(2), event(3, replay_of(source(2))), wanted=[place])
    assert found.fate(place, has_bytes=has_bytes) == fate


def test_a_header_that_names_no_source_is_no_replay() -> None:
    found = originals(event(0), event(1, (REPLAYED_FROM, b"\xff")), event(2, (REPLAYED_FROM, b"me")), wanted=[])
    assert found.replays == {}


def test_a_replay_that_died_again_is_not_sent_again_even_when_its_first_letter_is_not_selected() -> None:
    found = originals(event(7, replay_of(source(2))), wanted=[source(7)])
    plan = make_plan([candidate(source(7))], found, again=False)
    assert (plan.due, plan.fates["replayed before"]) == ({}, 1)


def test_again_sends_an_event_once_and_names_its_first_letter() -> None:
    chain = [source(2), source(7), source(8)]
    records = [event(2), event(7, replay_of(source(2))), event(8, replay_of(source(2)))]
    plan = make_plan(map(candidate, chain), originals(*records, wanted=chain), again=True)
    assert plan.due == {(source(2), 2): source(2)}
    alone = make_plan([candidate(source(8))], originals(*records, wanted=chain), again=True)
    assert alone.due == {(source(8), 8): source(2)}


@given(st.lists(st.sampled_from(["event", "watermark", "tombstone"]), min_size=1), st.data())
def test_after_a_replay_the_next_one_sends_nothing(kinds: list[str], data: st.DataObject) -> None:
    records = [event(k, *([WATERMARK_HEADER] if kind == "watermark" else [])) for k, kind in enumerate(kinds)]
    dead = [candidate(source(k), has_bytes=kind != "tombstone") for k, kind in enumerate(kinds)]
    for _ in range(3):
        chosen = data.draw(st.lists(st.sampled_from(dead), unique=True))
        due = make_plan(chosen, look_up(records, TOPIC_ID, [c.identity[0] for c in dead]), again=False).due
        for origin in due.values():
            dead.append(candidate(source(len(records))))  # it dies again
            records.append(event(len(records), replay_of(origin)))
        found = look_up(records, TOPIC_ID, [c.identity[0] for c in dead])
        assert make_plan(chosen, found, again=False).due == {}
        assert all(len(replays) == 1 for replays in found.replays.values())


def test_only_the_first_refusals_are_named_and_all_are_counted() -> None:
    plan = make_plan([candidate(source(k)) for k in range(30)], originals(wanted=[]), again=False)
    assert (plan.fates["gone"], len(plan.examples)) == (30, 20)
