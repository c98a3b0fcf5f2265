"""Kafka goes away, the API is killed: nobody is told of an answer whose event is not in the topic."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from schemas.topics import EVENTS
from tests.chaos.brokers import Brokers
from tests.stream_apps.predict.conftest import Asked, event
from tests.stream_apps.predict.test_questions import READER, WALL
from tests.wait import wait_for


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """One that a test may kill."""
    with Brokers(tmp_path_factory.mktemp("brokers")) as found:
        yield found


@pytest.fixture
def mortal(brokers: Brokers, tmp_path: Path) -> Iterator[Asked]:
    found = Asked(brokers.kafka, tmp_path)
    yield found
    found.close()


@pytest.mark.timeout(600)
def test_while_kafka_is_away_one_is_told_so_in_time_and_answered_once_it_is_back(
        brokers: Brokers, mortal: Asked) -> None:
    mortal.announce(1.0, -1)
    mortal.open()
    assert mortal.ask(event(0)).status_code == 200
    brokers.kill()
    away = mortal.http.post("/predict", json=event(1), timeout=20)
    assert (away.status_code, away.headers["retry-after"]) == (503, "1")
    wait_for(lambda: mortal.http.get("/readyz").status_code == 503, 30)
    brokers.start()
    wait_for(brokers.complete, 90)
    wait_for(lambda: mortal.http.get("/readyz").status_code == 200, 60)
    assert mortal.ask(event(1)).status_code == 200
    acknowledged = {"e0", "e1"}
    assert acknowledged <= {READER.read(r.value or b"", WALL).event_id for r in mortal.records(EVENTS)}


@pytest.mark.timeout(600)
def test_a_killed_api_has_answered_nothing_that_is_not_in_the_topic(asked: Asked) -> None:
    asked.announce(1.0, -1)
    answers: list[httpx2.Response] = []
    ended = threading.Event()

    def ask(first: int) -> None:
        number = first
        with asked.client() as client:
            while not ended.is_set():
                try:
                    answers.append(client.post("/predict", json=[event(number), event(number + 1)]))
                except httpx2.HTTPError:
                    ended.wait(0.2)  # killed while it was asked: nobody was told anything
                number += 2

    process = asked.open()
    askers = [threading.Thread(target=ask, args=(k * 1_000_000,)) for k in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(2):
            before = len(answers)
            asked.until(lambda before=before: len(answers) > before + 50, "answers")
            asked.kill(process)
            process = asked.open()
    finally:
        ended.set()
        for asker in askers:
            asker.join()
    said = {row["source"]: row["event_id"] for answer in answers if answer.status_code == 200
            for row in answer.json()["answers"]}
    assert len(said) > 200
    written = {f"{r.partition}-{r.offset}": READER.read(r.value or b"", WALL).event_id for r in asked.records(EVENTS)}
    assert {source: written.get("-".join(source.rsplit("-", 2)[1:])) for source in said} == said
