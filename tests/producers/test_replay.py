"""Against a real broker: what the topics hold after a replay."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Message

from producers.errors import DeliveryFailed, NothingToResume
from producers.files import file_rows, open_table
from producers.outbox import producer_settings
from producers.pace import Pace
from producers.replay import Lockstep, ReplaySettings, ReplaySummary, replay
from producers.resume import Confirmed, run_name, unfinished
from producers.rows import Row
from schemas.codec import WATERMARK_HEADER, decode
from schemas.messages import Label, Watermark
from schemas.topics import EVENTS, LABELS
from tests.producers.conftest import PARTITIONS, Broker, define

NOW_MS = 1_790_000_000_000


class Killed(Exception):
    """The process ends here."""


def plain(broker: Broker) -> ReplaySettings:
    return ReplaySettings(kafka=broker.kafka, confirmed=Confirmed(run=run_name("source", 1_000)), now_ms=lambda: NOW_MS)


def send(rows: Iterable[Row], broker: Broker, settings: ReplaySettings) -> ReplaySummary:
    pace = Pace(None, lambda: 0.0, lambda _: None)
    return replay(rows, broker.pipeline, settings, pace, lambda _: None)


def header(record: Message, name: str) -> str | bytes | None:
    return dict(record.headers() or []).get(name)


def is_watermark(record: Message) -> bool:
    return header(record, WATERMARK_HEADER[0]) == WATERMARK_HEADER[1]


def ids(records: Iterable[Message]) -> list[int]:
    """Row numbers in the order of the records, watermarks left out."""
    return [int(msgspec.json.decode(r.value() or b"")["event_id"]) for r in records if not is_watermark(r)]


def killed_after(rows: Iterable[Row], last: int, broker: Broker) -> Iterator[Row]:
    """Rows up to `last`; then the end, once the broker has something of them."""
    already = len(broker.records(EVENTS))
    yield from (row for row in rows if row.number <= last)
    while len(broker.records(EVENTS)) == already:
        pass
    raise Killed


@pytest.fixture
def rows(broker: Broker, shop_csv: Path) -> list[Row]:
    return list(file_rows(open_table(shop_csv), broker.pipeline))


def test_what_is_reported_as_confirmed_is_what_the_topics_hold(broker: Broker, rows: list[Row]) -> None:
    summary = send(rows, broker, plain(broker))
    events, labels = broker.records(EVENTS), broker.records(LABELS)
    assert (summary.events_sent, summary.events_confirmed) == (50, len(events) - summary.watermarks)
    assert (summary.labels_sent, summary.labels_confirmed) == (50, len(labels))
    assert sorted(ids(events)) == sorted(ids(labels)) == list(range(50))
    assert (summary.last_row, summary.misfits) == (49, 0)


def test_an_entity_keeps_its_partition_and_its_order(broker: Broker, rows: list[Row]) -> None:
    send(rows, broker, plain(broker))
    for topic in (EVENTS, LABELS):
        places: dict[bytes | None, set[int | None]] = {}
        by_key: dict[bytes | None, list[int]] = {}
        for record in broker.records(topic):
            if not is_watermark(record):
                places.setdefault(record.key(), set()).add(record.partition())
                by_key.setdefault(record.key(), []).extend(ids([record]))
        assert len(by_key) == 7
        assert all(len(found) == 1 for found in places.values())
        assert all(found == sorted(found) for found in by_key.values())
    events, labels = ({r.key(): r.partition() for r in broker.records(topic) if r.key()} for topic in (EVENTS, LABELS))
    assert events == labels


def test_every_partition_ends_with_the_watermark_of_the_end(broker: Broker, rows: list[Row]) -> None:
    send(rows, broker, plain(broker))
    last = {record.partition(): record for record in broker.records(EVENTS)}
    assert set(last) == set(range(PARTITIONS))
    for record in last.values():
        assert is_watermark(record)
        assert record.key() is None
        assert decode(record.value() or b"", Watermark) == Watermark(ts=1_577_836_849_000, ends=True)


def test_a_watermark_goes_to_every_partition_once_a_second(broker: Broker, rows: list[Row]) -> None:
    ticks = iter(range(1_000))
    pace = Pace(None, lambda: next(ticks) / 20, lambda _: None)  # two looks at the clock a row or so
    summary = replay(rows, broker.pipeline, plain(broker), pace, lambda _: None)
    marks = [decode(r.value() or b"", Watermark) for r in broker.records(EVENTS) if is_watermark(r)]
    assert summary.watermarks == len(marks) > 2 * PARTITIONS
    assert len(marks) % PARTITIONS == 0
    assert sum(mark.ends for mark in marks) == PARTITIONS


@pytest.mark.parametrize("delay", [0, 10])
def test_a_label_comes_after_the_event_that_is_so_many_rows_later(broker: Broker, rows: list[Row], delay: int) -> None:
    send(rows, broker, replace(plain(broker), label_delay=delay))
    times = {row.number: row.ts for row in rows}
    labels = [decode(record.value() or b"", Label) for record in broker.records(LABELS)]
    assert len(labels) == 50
    for label in labels:
        number = int(label.event_id) + delay
        assert label.ts == times.get(number, 1_577_836_800_000 + number * 1_000)


def test_rows_that_do_not_fit_are_sent_as_they_are_and_counted(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("card,amount,online,fraud\nc,1,true,0\nc,dear,true,0\n")
    summary = send(file_rows(open_table(path), broker.pipeline), broker, plain(broker))
    sent = [msgspec.json.decode(r.value() or b"") for r in broker.records(EVENTS) if not is_watermark(r)]
    assert [event["features"]["amount"] for event in sent] == [1.0, "dear"]
    assert (summary.misfits, summary.first_misfit[:6]) == (1, "row 1:")


def test_a_row_ahead_of_the_clock_is_a_misfit_and_moves_no_watermark(broker: Broker, rows: list[Row]) -> None:
    ahead = msgspec.structs.replace(rows[5], ts=NOW_MS + 10 * 86_400_000)
    summary = send([*rows[:5], ahead], broker, plain(broker))
    marks = [decode(r.value() or b"", Watermark).ts for r in broker.records(EVENTS) if is_watermark(r)]
    assert summary.misfits == 1
    assert max(marks) == rows[4].ts


class Witness:
    """A barrier that notes what the topics hold whenever it is asked."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.seen: list[tuple[str, int, int, int]] = []
        self.joinable: list[int] = []

    def after_events(self, block: int) -> None:
        self._note("events", block)

    def after_labels(self, block: int, labels: int) -> None:
        self.joinable.append(labels)
        self._note("labels", block)

    def _note(self, what: str, block: int) -> None:
        events, labels = (len(ids(self._broker.records(topic))) for topic in (EVENTS, LABELS))
        self.seen.append((what, block, events, labels))


def test_lockstep_waits_after_the_events_and_after_the_labels_of_every_block(broker: Broker, rows: list[Row]) -> None:
    witness = Witness(broker)
    send(rows, broker, replace(plain(broker), lockstep=Lockstep(block_rows=20, barrier=witness)))
    assert witness.seen == [
        ("events", 0, 20, 0), ("labels", 0, 20, 20), ("events", 1, 40, 20), ("labels", 1, 40, 40),
        ("events", 2, 50, 40), ("labels", 2, 50, 50), ("events", 3, 50, 50), ("labels", 3, 50, 50),
    ]


def test_lockstep_with_late_labels_sends_those_that_are_due_and_the_rest_at_the_end(broker: Broker,
                                                                                     rows: list[Row]) -> None:
    witness = Witness(broker)
    send(rows, broker, replace(plain(broker), label_delay=30, lockstep=Lockstep(block_rows=20, barrier=witness)))
    assert [seen for seen in witness.seen if seen[0] == "labels"] == [
        ("labels", 0, 20, 0), ("labels", 1, 40, 10), ("labels", 2, 50, 20), ("labels", 3, 50, 40),
        ("labels", 4, 50, 50), ("labels", 5, 50, 50),
    ]


def test_the_block_header_counts_only_labels_that_will_be_joined(broker: Broker, rows: list[Row]) -> None:
    bad = msgspec.structs.replace(rows[3], problem="no number")
    witness = Witness(broker)
    lockstep = Lockstep(block_rows=5, barrier=witness)
    send([*rows[:3], bad, *rows[4:10]], broker, replace(plain(broker), lockstep=lockstep))
    assert witness.joinable == [4, 5, 0]
    blocks = {ids([record])[0]: header(record, "block") for record in broker.records(LABELS)}
    assert blocks == {**dict.fromkeys(range(5), b"0/4"), 3: None, **dict.fromkeys(range(5, 10), b"1/5")}


def resumed(broker: Broker, settings: ReplaySettings) -> ReplaySettings:
    return replace(settings, confirmed=unfinished(broker.kafka, broker.pipeline, "source"))


@pytest.mark.parametrize("delay", [0, 7])
def test_resuming_after_a_kill_sends_no_row_twice_and_loses_none(broker: Broker, rows: list[Row], delay: int) -> None:
    settings = replace(plain(broker), label_delay=delay)
    for last in (12, 31):
        with pytest.raises(Killed):
            send(killed_after(rows, last, broker), broker, resumed(broker, settings) if last > 12 else settings)
    summary = send(rows, broker, resumed(broker, settings))
    assert summary.events_sent < 50
    for topic in (EVENTS, LABELS):
        assert sorted(ids(broker.records(topic))) == list(range(50))


def test_rows_missing_before_the_last_confirmed_one_are_sent_again(broker: Broker, rows: list[Row]) -> None:
    """Partitions are confirmed in any order: row 3 of a slow one may be missing though row 9 of another is there."""
    with pytest.raises(Killed):
        send(killed_after([row for row in rows if row.number not in (3, 6)], 9, broker), broker, plain(broker))
    send(rows, broker, resumed(broker, plain(broker)))
    assert sorted(ids(broker.records(EVENTS))) == list(range(50))


def test_records_of_others_and_of_earlier_replays_are_not_taken_for_ours(broker: Broker, rows: list[Row]) -> None:
    send(rows, broker, replace(plain(broker), confirmed=Confirmed(run=run_name("source", 500))))
    with pytest.raises(Killed):
        send(killed_after(rows, 9, broker), broker, plain(broker))
    confirmed = unfinished(broker.kafka, broker.pipeline, "source")
    assert confirmed.run == run_name("source", 1_000)
    assert confirmed.events <= set(range(10))


def test_there_is_nothing_to_resume_in_an_empty_topic_a_finished_replay_or_another_source(broker: Broker,
                                                                                          rows: list[Row]) -> None:
    with pytest.raises(NothingToResume, match="there is none; leave out --resume"):
        unfinished(broker.kafka, broker.pipeline, "source")
    send(rows, broker, plain(broker))
    with pytest.raises(NothingToResume, match="came to its end"):
        unfinished(broker.kafka, broker.pipeline, "source")
    with pytest.raises(NothingToResume, match="the newest one there is 'source-1000'"):
        unfinished(broker.kafka, broker.pipeline, "other")


def test_a_refused_record_stops_the_replay_and_names_the_row(broker: Broker, rows: list[Row]) -> None:
    huge = msgspec.structs.replace(rows[3], features={**rows[3].features, "country": "x" * (3 << 20)})
    with pytest.raises(DeliveryFailed, match=r'"event_id":"3".*too large.*--resume'):
        send([*rows[:3], huge], broker, plain(broker))


def test_a_missing_topic_is_named(broker: Broker, shop_csv: Path) -> None:
    nowhere = define("nowhere")
    with pytest.raises(DeliveryFailed, match=r"topic 'nowhere.events' cannot be written.*create the pipeline's topics"):
        replay(file_rows(open_table(shop_csv), nowhere), nowhere, plain(broker),
               Pace(None, lambda: 0.0, lambda _: None), lambda _: None)


def test_the_guarantees_cannot_be_configured_away() -> None:
    settings = producer_settings({"acks": "0", "enable.idempotence": "false", "linger.ms": "1"})
    assert (settings["acks"], settings["enable.idempotence"], settings["linger.ms"]) == ("all", True, "1")
    assert settings["partitioner"] == "murmur2_random"


def test_progress_is_told_up_to_the_last_row(broker: Broker, rows: list[Row]) -> None:
    told: list[int] = []
    replay(rows * 9, broker.pipeline, plain(broker), Pace(None, lambda: 0.0, lambda _: None), told.append)
    assert told[-1] == 450
    assert all(a <= b for a, b in pairwise(told))

