"""Events are a function of their number: unique, in time, and some of them bad."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from kafka_access.access import KafkaAccess
from schemas.codec import EventCodec
from schemas.topics import EVENTS, topic_name
from tests.chaos.flow import Flow, event, mix
from tests.live import Live
from tests.tiny import LATENESS, tiny_pipeline
from tests.wait import wait_for

COUNT = 5_000


def decoded(seed: int) -> list[Any]:
    codec, found = EventCodec(tiny_pipeline()), []
    for k in range(COUNT):
        try:
            found.append(codec.decode(event(seed, k) or b""))
        except msgspec.DecodeError:
            found.append(None)
    return found


def test_an_event_depends_on_its_seed_and_number_alone() -> None:
    assert [event(3, k) for k in range(COUNT)] == [event(3, k) for k in range(COUNT)]
    assert event(3, 1) != event(4, 1)


def test_the_readable_events_have_ids_of_their_own_and_some_lack_a_value() -> None:
    events = [found for found in decoded(1) if found is not None]
    assert 0.98 < len(events) / COUNT < 1.0
    assert len({found.event_id for found in events}) == len(events)
    assert 0.1 < sum(None in EventCodec(tiny_pipeline()).values(e.features) for e in events) / COUNT < 0.2


def test_no_event_is_late_and_many_are_out_of_order() -> None:
    newest, backwards = 0, 0
    for found in decoded(2):
        if found is not None:
            assert found.ts > newest - LATENESS
            backwards += found.ts < newest
            newest = max(newest, found.ts)
    assert backwards > COUNT / 4


def test_the_partitions_get_about_the_same() -> None:
    counts = Counter(mix(k, 1) % 4 for k in range(COUNT))
    assert min(counts.values()) > 0.9 * COUNT / 4


def test_every_event_lies_where_the_flow_says(kafka: KafkaAccess, tmp_path: Any) -> None:
    live = Live(kafka, tmp_path)
    flow = Flow(kafka, topic_name(live.name, EVENTS), 2, seed=7)
    flow.start(rate=20_000)
    wait_for(lambda: flow.sent > COUNT, 30)
    flow.stop()
    found = {(r.partition, r.offset): r.value for r in live.records(EVENTS)}
    said = {(p, offset): event(7, k) for p in (0, 1) for offset, k in flow.acknowledged(p).items()}
    flow.close()
    live.close()
    assert len(found) == flow.sent
    assert found == said


def test_an_event_that_kafka_refuses_ends_the_run() -> None:
    flow = Flow(KafkaAccess(servers="127.0.0.1:1"), "nowhere", 2, seed=0)
    flow._failures.append("refused")
    with pytest.raises(AssertionError, match="1 events were refused"):
        flow.stop()
    flow.close()
