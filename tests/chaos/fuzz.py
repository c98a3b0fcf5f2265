"""Whatever is sent, one worker lives on, and every record ends as what it is.

Mutated and random records through a real worker, judged by a classifier that shares no code with the codec.
Run: python -m tests.chaos.fuzz [--full] [--json]
"""

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from confluent_kafka import Producer
from msgspec import Struct

from automl_stream.local_stack.ports import unused_ports
from automl_stream.verify.reading import Reading
from kafka_access.access import KafkaAccess
from schemas.messages import Watermark, WindowCounts
from schemas.topics import EVENTS, PREDICTIONS, topic_name
from tests.chaos.classifier import Opinion, classify
from tests.chaos.command import run_alone
from tests.chaos.fuzzing import SPACING_MS, Fuzzed, fuzzed
from tests.live import Live, differences
from tests.tiny import LATENESS, MAX_FUTURE, SIZE

PARTITIONS = 2
PATIENCE_SECONDS = 300.0
UNSURE_SHARE = 0.005

Place = tuple[int, int]


class Figures(Struct, frozen=True, kw_only=True):
    """What went in and what came out. `unsure`: records on which the classifier has no opinion; `odds`: disagreements
    (none, or the run fails); `late`: scored rows that entered no window."""

    records: int
    rounds: int
    workers_died: int
    predictions: int
    watermarks: int
    dead_letters: int
    reasons: dict[str, int]
    unsure: int
    late: int
    windows: int
    disagreements: int
    differences: int


@dataclass(kw_only=True)
class Expected:
    """Watermark and late rows of one partition, recounted from what the classifier says."""

    watermark: int | None = None
    late: int = 0

    def take(self, opinion: Opinion, record_ts: int, *, is_row: bool) -> None:
        """Rows behind the watermark are late; a time ahead of its record's advances nothing."""
        if is_row and self.watermark is not None and opinion.ts < self.watermark:
            self.late += 1
        reached = (opinion.ts // SIZE + 1) * SIZE if opinion.ends else min(opinion.ts, record_ts) - LATENESS
        self.watermark = reached if self.watermark is None else max(self.watermark, reached)


@dataclass(kw_only=True)
class Tally:
    """Figures of all rounds so far."""

    ends: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unsure: int = 0
    late: int = 0
    windows: int = 0


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Fuzz round after round, each on topics of its own with one worker.

    Raises:
        AssertionError: when a worker dies, a record ends as something else, or a count is wrong.
    """
    rounds, count = (20, 50_000) if full else (1, 20_000)
    tally = Tally()
    for seed in range(rounds):
        one_round(kafka, directory, seed, count, tally)
    assert tally.unsure < UNSURE_SHARE * rounds * count
    return Figures(
        records=rounds * count, rounds=rounds, workers_died=0, predictions=tally.ends["event"],
        watermarks=tally.ends["watermark"], dead_letters=tally.ends["bad"], reasons=dict(tally.reasons.most_common()),
        unsure=tally.unsure, late=tally.late, windows=tally.windows, disagreements=0, differences=0)


def one_round(kafka: KafkaAccess, directory: Path, seed: int, count: int, tally: Tally) -> None:
    """One worker, `count` records."""
    live, port = Live(kafka, directory), unused_ports().metrics
    try:
        live.announce(1.0, -1)
        worker = live.start("score", METRICS_PORT=str(port))
        start = time.time_ns() // 1_000_000 - count * SPACING_MS
        sent = send(kafka, topic_name(live.name, EVENTS), fuzzed(seed, count, start, large=10))
        live.until(live.covered, "all records to be covered", PATIENCE_SECONDS)
        assert worker.poll() is None, "the worker died"
        reading = live.reading()
        found = differences(reading)
        assert found == [], found[:5]
        ends = judge(reading, sent, tally)
        # Who loses its membership on a busy machine, and gets it again, may repeat what it had not covered.
        if live.log("score").read_text().count('"partitions assigned"') == 1:
            assert live.count(PREDICTIONS) == ends["event"], "an undisturbed run repeats nothing"
        assert counted(port) == Counter(e.message.reason for e in reading.dead_letters)
    finally:
        live.close()


def send(kafka: KafkaAccess, topic: str, records: Iterable[Fuzzed]) -> dict[Place, Fuzzed]:
    """Write the records in turn to the partitions; where Kafka put them."""
    producer = Producer({**kafka.librdkafka(), "enable.idempotence": True, "linger.ms": 5, "log_level": 2,
                         "message.max.bytes": 1 << 20, "batch.size": 400_000})
    places: dict[Place, Fuzzed] = {}

    def confirmed(record: Fuzzed) -> Any:
        def on_delivery(error: Any, message: Any) -> None:
            assert error is None, error
            places[message.partition(), message.offset()] = record
        return on_delivery

    sent = 0
    for sent, record in enumerate(records, 1):
        producer.produce(topic, record.value, record.key, sent % PARTITIONS,
                         on_delivery=confirmed(record), timestamp=record.timestamp, headers=list(record.headers))
        producer.poll(0 if sent % 5_000 else 1)
    assert producer.flush(60) == 0
    assert len(places) == sent
    producer.close()
    return places


def judge(reading: Reading, sent: dict[Place, Fuzzed], tally: Tally) -> Counter[str]:
    """Every record ended as what the classifier takes it for; watermarks, late rows and final windows follow."""
    became = endings(reading)
    expected = {partition: Expected() for partition in range(PARTITIONS)}
    odd, ends = [], Counter[str]()
    for place, end in sorted(became.items()):
        record = sent[place]
        opinion = classify(record.value, record.marked, record.timestamp, MAX_FUTURE)
        ends[end] += 1
        tally.unsure += opinion.verdict == "unsure"
        if opinion.verdict not in ("unsure", end):
            odd.append((place, opinion, end, (record.value or b"")[:300], record.headers))
        elif end != "bad":
            expected[place[0]].take(opinion, record.timestamp, is_row=end == "event")
    assert odd == [], f"{len(odd)} records ended as something else: {odd[:5]}"
    assert ends.total() == len(sent)
    for partition, state in reading.states.items():
        assert (state.watermark, state.late_rows) == (expected[partition].watermark, expected[partition].late)
    windows = [e.message for e in reading.window_counts if isinstance(e.message, WindowCounts)]
    for message in windows:
        assert message.window.start + SIZE <= (expected[message.partition].watermark or 0), "closed by the future"
    tally.ends += ends
    tally.reasons += Counter(e.message.reason for e in reading.dead_letters)
    tally.late += sum(each.late for each in expected.values())
    tally.windows += len(windows)
    return ends


def endings(reading: Reading) -> dict[Place, str]:
    """What each record ended as."""
    ends = {(d.record.partition, d.record.offset): "watermark" for d in reading.deliveries.values()
            if isinstance(d.content, Watermark)}
    for kind, sources in (("event", reading.predictions), ("bad", {e.message.source for e in reading.dead_letters})):
        ends |= dict.fromkeys((_place(source) for source in sources), kind)
    return ends


def _place(source: str) -> Place:
    _, partition, offset = source.rsplit("-", 2)
    return int(partition), int(offset)


def counted(port: int) -> Counter[str]:
    """Dead letters by reason, as the worker's metrics have them."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(r'^automl_stream_dead_letters_total\{reason="(\w+)"\} ([0-9.]+)$', text, re.MULTILINE)
    return Counter({reason: int(float(count)) for reason, count in found if float(count)})


if __name__ == "__main__":
    run_alone(run)
