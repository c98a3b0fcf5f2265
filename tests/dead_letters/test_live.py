"""Dead letters of a real score worker: listed, shown, replayed once, and accounted for."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from automl_stream.cli import main
from automl_stream.dead_letters.originals import REPLAYED_FROM
from automl_stream.topics import create_topics
from automl_stream.verify.reading import Reading
from kafka_access.access import KafkaAccess
from schemas.codec import WATERMARK_HEADER
from schemas.topics import DEAD_LETTERS, EVENTS, PREDICTIONS, topic_name
from tests.live import Live, differences
from tests.tiny import MAX_FUTURE, event_bytes
from tests.wait import wait_for

START = 946_684_800_000
AHEAD = 2_000


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    live = Live(kafka, tmp_path)
    yield live
    live.close()


class Command:
    """`automl-stream dead-letters` on one pipeline."""

    def __init__(self, live: Live, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._live, self._capsys, self._monkeypatch = live, capsys, monkeypatch
        self.exit_code: object = None

    def text(self, name: str, *arguments: str) -> str:
        """What it prints."""
        argv = ["automl-stream", "dead-letters", name, str(self._live.file), *arguments]
        self._monkeypatch.setattr(sys, "argv", argv)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        self.exit_code = ended.value.code
        printed = self._capsys.readouterr()
        return printed.out + printed.err

    def json(self, name: str, *arguments: str) -> Any:
        """The document it prints."""
        return msgspec.json.decode(self.text(name, *arguments, "--json"))


@pytest.fixture
def command(live: Live, kafka: KafkaAccess, capsys: pytest.CaptureFixture[str],
            monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.servers)
    return Command(live, capsys, monkeypatch)


def now() -> int:
    return time.time_ns() // 1_000_000


def scored(live: Live) -> Reading:
    live.until(live.covered, "all events to be covered")
    return live.reading()


def replays(live: Live) -> dict[bytes, tuple[bytes | None, bytes | None]]:
    """Value and key of the replayed records, by what they are replays of."""
    return {dict(r.headers)[REPLAYED_FROM]: (r.value, r.key)
            for r in live.records(EVENTS) if REPLAYED_FROM in dict(r.headers)}


def test_a_replay_ends_in_predictions_or_dead_letters_again_and_a_second_one_sends_nothing(
        live: Live, command: Command) -> None:
    live.announce(1.0, -1)
    live.start("score")
    live.write(EVENTS, 0, *(event_bytes(f"e{k}", START + k) for k in range(50)), b"{", key=b"k")
    soon = now() + MAX_FUTURE + AHEAD
    early = [event_bytes(f"early{k}", soon) for k in range(3)]
    live.write(EVENTS, 1, *early, key=b"early")
    live.write(EVENTS, 1, b'{"ts": "bad"}', header=WATERMARK_HEADER)
    live.write(EVENTS, 1, b"")
    assert differences(scored(live)) == []

    listing = command.json("list")
    assert listing["totals"] == {"future": 3, "malformed": 1, "invalid": 1, "empty": 1}
    wait_for(lambda: now() > soon - MAX_FUTURE, 10)
    planned = command.json("replay", "--dry-run")
    assert (planned["due"], planned["sent"], planned["refused"]) == (4, 0, {"watermark": 1, "no bytes": 1})
    assert replays(live) == {}

    assert command.json("replay")["sent"] == 4
    by_source = {line["source"]: line["reason"] for line in listing["letters"]}
    sent = replays(live)
    assert sorted(sent.values()) == sorted([(b"{", b"k"), *((raw, b"early") for raw in early)])  # type: ignore[type-var]
    assert {by_source[source.decode()] for source in sent} == {"future", "malformed"}

    reading = scored(live)
    assert differences(reading) == []
    found = {p.message.event_id for entries in reading.predictions.values() for p in entries}
    assert {"early0", "early1", "early2"} <= found
    assert command.json("list")["totals"] == {"future": 3, "malformed": 2, "invalid": 1, "empty": 1}

    events = live.count(EVENTS)
    second = command.json("replay")
    assert (second["due"], second["sent"], second["replayed_before"]) == (0, 0, 5)
    assert live.count(EVENTS) == events

    again = command.json("replay", "--reason", "malformed", "--again")
    assert (again["due"], again["sent"], again["replayed_before"]) == (1, 1, 1)
    assert differences(scored(live)) == []


def test_show_tells_everything_of_one_letter_and_where_its_replay_went(live: Live, command: Command) -> None:
    live.announce(1.0, -1)
    live.start("score")
    live.write(EVENTS, 1, b'{"event_id": 7}', b"\x1b[2J", key=b"k7")
    scored(live)
    first, second = (line["source"] for line in command.json("list", "--partition", "1")["letters"])
    text = command.text("show", first)
    assert "replayed     never" in text
    assert text.endswith('\n{"event_id": 7}\n')
    assert "1b 5b 32 4a" in command.text("show", second)

    command.text("replay", first)
    assert command.exit_code == 0
    scored(live)
    (shown,) = command.json("show", first)
    assert [sent["dead"] for sent in shown["replays"]] == [True]
    (sent,) = shown["replays"]
    assert f"this is a replay of {first}" in command.text("show", sent["source"])
    assert "no dead letter has the source" in command.text("show", "nobody-0-1")
    assert command.exit_code == 2


def test_letters_of_a_deleted_topic_of_the_same_name_are_shown_and_not_replayed(
        live: Live, command: Command, kafka: KafkaAccess) -> None:
    live.announce(1.0, -1)
    worker = live.start("score")
    live.write(EVENTS, 0, b"{")
    scored(live)
    live.kill(worker)
    events = topic_name(live.name, EVENTS)
    admin = AdminClient(kafka.librdkafka())
    admin.delete_topics([events])[events].result(timeout=30)
    wait_for(lambda: events not in admin.list_topics(timeout=10).topics, 30)
    create_topics(live.pipeline, kafka)
    live.write(EVENTS, 0, event_bytes("another", START))

    (line,) = command.json("list")["letters"]
    assert line["former_topic"] is True
    assert "of a topic of that name that was deleted since" in command.text("show", line["source"])
    assert "in a topic of the same name that was deleted since" in command.text("replay", line["source"])
    assert command.exit_code == 1
    assert live.count(EVENTS) == 1


def test_since_and_until_go_by_when_a_letter_was_written(
        live: Live, command: Command, kafka: KafkaAccess) -> None:
    live.announce(1.0, -1)
    live.start("score")
    live.write(EVENTS, 0, b"{")
    scored(live)
    between = now() + 1
    wait_for(lambda: now() > between, 5)
    live.write(EVENTS, 0, b"}", b"]")
    # Times of producers go astray: an event that bears an old time was dead-lettered now.
    producer = Producer(kafka.librdkafka())
    producer.produce(topic_name(live.name, EVENTS), b"?", partition=0, timestamp=START)
    producer.flush(10)
    scored(live)
    moment = f"{between / 1_000:.3f}"
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(between // 1_000)) + moment[-4:] + "Z"
    assert command.json("list", "--until", text)["totals"] == {"malformed": 1}
    assert command.json("list", "--since", text)["totals"] == {"malformed": 3}
    assert command.json("replay", "--since", text)["sent"] == 3
    assert command.json("replay", "--since", text)["sent"] == 0
    assert live.count(PREDICTIONS) == 0
    assert live.count(DEAD_LETTERS) >= 4
