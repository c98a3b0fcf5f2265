"""Labels of every kind through all services: they reconcile, and what contradicts itself never trains."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from automl_stream.verify.loading import load
from automl_stream.verify.verdict import judge
from schemas.codec import decode, encode
from schemas.messages import Label, LabelledEvent, QualityReport
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, LABELLED, LABELS, PREDICTIONS, QUALITY
from stream_apps.migrations.migrate import migrate
from tests.conftest import Backends
from tests.live import Live
from tests.logins import writer_login
from tests.tiny import definition, event_bytes
from trainer.history import History

START, EVENTS_SENT = 946_684_800_000, 60
KEYS = 'label_horizon = "1m"\n[windows]\nquality_labels = 20'


def text(name: str, keys: str = KEYS) -> str:
    return definition(name).replace("[windows]", keys, 1)


@pytest.fixture
def live(backends: Backends, tmp_path: Path) -> Iterator[Live]:
    live = Live(backends.kafka, tmp_path, text)
    live.announce(1.0, -1)
    migrate(backends.database_url, live.name)
    with writer_login(backends.database_url) as url:
        for service in ("score", "record", "labels", "monitor"):
            live.start(service, DATABASE_URL=url)
        yield live
        live.close()
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f'drop schema if exists "{live.name}" cascade'.encode())


def send_events(live: Live, first: int, end: int) -> None:
    for k in range(first, end):
        live.write(EVENTS, k % 2, event_bytes(f"e{k}", START + k * 1_000, a=(k % 13) / 4 - 1.5), key=b"k")


def label(number: int, value: str | float | bool = "yes", revision: int = 0) -> bytes:
    return encode(Label(event_id=f"e{number}", entity=f"e{number}", ts=START + (number + 5) * 1_000, label=value,
                        revision=revision, labeller="ada"))


def send_labels(live: Live, partition: int, *labels: bytes) -> None:
    live.write(LABELS, partition, *labels, key=b"k")


def labelled(live: Live) -> list[LabelledEvent]:
    return [decode(record.value or b"", LabelledEvent) for record in live.records(LABELLED)]


def dataset_of(pipeline: Pipeline, log: list[LabelledEvent]) -> dict[int, object]:
    """What would train, by event time in seconds."""
    history = History(pipeline)
    for offset, event in enumerate(log):
        if history.fits(event):
            history.append(offset, event)
    rows = history.dataset(0, len(log) - 1).rows
    return dict(zip(((rows.ts - START) // 1_000).tolist(), rows.labels, strict=True))


@pytest.mark.timeout(280)
def test_labels_of_every_kind_reconcile(live: Live, backends: Backends) -> None:
    send_labels(live, 0, label(50))  # before its event
    send_events(live, 0, EVENTS_SENT)
    live.write(EVENTS, 0, b'{"event_id":"e90"}', key=b"k")  # a dead letter
    live.until(lambda: live.count(PREDICTIONS) == EVENTS_SENT, "predictions")
    for partition in (0, 1):
        send_labels(live, partition, *(label(k, "yes" if k % 3 else "no") for k in range(partition, 40, 2)))
    unusable = [b"{", b"", label(4).replace(b'"yes"', b"null"), label(56, "no\x00"),
                label(8).replace(b'"revision":0', b'"revision":-1')]
    send_labels(live, 0, label(0, "no"), label(2, "no", 1), label(2), label(90), label(92), *unusable)
    send_labels(live, 1, label(1, "no"), label(1), label(55, "no"))  # e1: contradicts the label from before
    live.until(lambda: {"e50", "e55"} <= {event.event_id for event in labelled(live)} and any(
        event.conflict for event in labelled(live)), "the pairs")
    for partition in (0, 1):  # an hour later the labels of events that never came are given up
        live.write(EVENTS, partition, event_bytes(f"later{partition}", START + 3_600_000), key=b"k")

    live.until(lambda: outcome(backends, live.name, "expired") == 2, "two expired labels")
    recording, lagging = load(live.pipeline, backends.kafka, backends.database_url, 60)
    verdict = judge(recording)
    assert lagging == []
    assert [d for d in verdict.differences if d.check != "models"] == []  # nobody decided on the tiny model
    assert verdict.checks["labels"].looked_at == 1 + 40 + 10 + 3
    assert verdict.checks["labels"].notes == [
        "records: 1 conflict, 2 duplicate, 44 new, 1 outdated, 5 refused, 1 revision",
        "events: 1 contradicted, 41 emitted, 2 expired"]
    trains = dataset_of(live.pipeline, labelled(live))
    assert sorted(trains) == sorted({*range(40), 50, 55} - {1})
    assert (trains[2], trains[55]) == ("no", "no")


def outcome(backends: Backends, name: str, state: str) -> int:
    with psycopg.connect(backends.database_url) as connection:
        row = connection.execute(f'select count(*) from "{name}".labels where {state}'.encode()).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.timeout(280)
def test_live_quality_goes_on_after_a_kill_and_is_a_table(live: Live, backends: Backends) -> None:
    monitor = next(process for process in live._processes if "stream_apps.monitor" in str(process.args))
    send_events(live, 0, EVENTS_SENT)
    for partition in (0, 1):
        send_labels(live, partition, *(label(k, "yes" if k % 3 else "no") for k in range(partition, 30, 2)))
    live.until(lambda: live.count(QUALITY) == 1, "a report")
    live.kill(monitor)
    for partition in (0, 1):
        send_labels(live, partition, *(label(k, "yes" if k % 3 else "no") for k in range(30 + partition, 60, 2)))
    live.until(lambda: live.count(LABELLED) == EVENTS_SENT, "all pairs")
    live.start("monitor")
    live.until(lambda: live.count(QUALITY) == 3, "two more reports")
    recording, _ = load(live.pipeline, backends.kafka, backends.database_url, 60)
    verdict = judge(recording)
    assert [d for d in verdict.differences if d.check != "models"] == []
    assert verdict.checks["quality"].looked_at == 3
    said = [decode(record.value or b"", QualityReport) for record in live.records(QUALITY)]
    assert [(report.first, report.last) for report in said] == [(0, 19), (20, 39), (40, 59)]
    with psycopg.connect(backends.database_url) as connection:
        table = connection.execute(f'select first, version, rows, accuracy, auc from "{live.name}".quality '
                                   "order by first, version nulls first".encode()).fetchall()
    assert table == [(report.first, quality.version, quality.rows, quality.accuracy, quality.auc)
                     for report in said for quality in report.qualities]


@pytest.fixture
def silent(backends: Backends, tmp_path: Path) -> Iterator[Live]:
    live = Live(backends.kafka, tmp_path,
                lambda name: text(name, 'unlabelled_after = "1m -> no"\n[windows]'))
    live.announce(1.0, -1)
    migrate(backends.database_url, live.name)
    with writer_login(backends.database_url) as url:
        for service in ("score", "record", "labels", "monitor"):
            live.start(service, DATABASE_URL=url)
        yield live
        live.close()
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f'drop schema if exists "{live.name}" cascade'.encode())


@pytest.mark.timeout(280)
def test_where_silence_is_an_answer_only_events_that_are_old_enough_are_in_the_training_log(
        silent: Live, backends: Backends) -> None:
    send_events(silent, 0, 20)
    send_labels(silent, 0, label(4, "yes"))
    silent.until(lambda: silent.count(PREDICTIONS) == 20, "predictions")
    send_events(silent, 70, 72)  # e70 and e71: events up to e10 and e11 of their partitions are a minute old
    silent.until(lambda: silent.count(LABELLED) == 12, "the events that are old enough")
    send_labels(silent, 1, label(7, "yes"))
    silent.until(lambda: silent.count(LABELLED) == 13, "the label that came late")
    recording, lagging = load(silent.pipeline, backends.kafka, backends.database_url, 60)
    verdict = judge(recording)
    assert lagging == []
    assert [d for d in verdict.differences if d.check != "models"] == []
    assert verdict.checks["labels"].notes[-1] == "events: 2 emitted, 10 implicit"
    log = labelled(silent)
    assert {event.event_id for event in log} == {f"e{k}" for k in range(12)}
    assert [event.event_id for event in log if not event.implicit] == ["e4", "e7"]
    assert dataset_of(silent.pipeline, log) == {k: "yes" if k in {4, 7} else "no" for k in range(12)}
