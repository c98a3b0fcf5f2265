"""Whatever is killed, an event that was answered with 2xx is in the topic: invariants 1 and 3 at the HTTP door."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from schemas.topics import EVENTS
from tests.chaos.brokers import Brokers
from tests.producers.api.conftest import Ingestion, by_id, event
from tests.producers.conftest import Broker
from tests.wait import wait_for

SENDERS = 8
ROWS = 20
RETRY_SECONDS = 0.2


class Load:
    """Senders of singles and batches; each repeats a request until it is answered with 2xx."""

    def __init__(self, ingestion: Ingestion) -> None:
        self._ingestion = ingestion
        self._ended = threading.Event()
        self.acknowledged: set[tuple[str, str]] = set()
        self.refused = 0
        self.unexpected: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        assert not self.unexpected, self.unexpected[:3]

    def more(self, count: int) -> None:
        """Wait for so many further acknowledgements."""
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) >= before + count, 120)

    def _send(self, number: int) -> None:
        client, k = self._ingestion.client(), 0
        while not self._ended.is_set():
            k += 1
            size = ROWS if number % 2 else 1
            rows = [event(f"{number}-{k}-{row}", entity=f"e{row}") for row in range(size)]
            while not self._ended.is_set():
                try:
                    answer = client.post("/events/batch" if number % 2 else "/events",
                                         json=rows if number % 2 else rows[0])
                except httpx2.HTTPError:  # killed under the request, or not there
                    client.close()
                    client = self._ingestion.client()
                    self._ended.wait(RETRY_SECONDS)
                    continue
                if answer.status_code == 200:
                    self.acknowledged.update((row["entity"], row["event_id"]) for row in rows)
                    break
                if answer.status_code not in (429, 503) or answer.headers["retry-after"] != "1":
                    self.unexpected.append(f"{answer.status_code} {answer.text}")
                    return
                self.refused += 1
                self._ended.wait(RETRY_SECONDS)
        client.close()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    with Brokers(tmp_path_factory.mktemp("brokers")) as found:
        yield found


@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_in_the_topic_whoever_is_killed(brokers: Brokers, tmp_path: Path) -> None:
    broker = Broker(brokers.kafka)
    ingestion = Ingestion(broker, tmp_path)
    ingestion.start()
    wait_for(ingestion.ready, 120)
    load = Load(ingestion)
    try:
        load.more(500)
        for _ in range(2):
            ingestion.end(signal.SIGKILL)
            ingestion.start()
            load.more(500)
        brokers.kill()
        wait_for(lambda: not ingestion.ready(), 60)
        brokers.start()
        load.more(500)
        assert ingestion.end(signal.SIGTERM) == 0, ingestion.log.read_text()
    finally:
        load.stop()
        if ingestion.process is not None and ingestion.process.poll() is None:
            ingestion.end(signal.SIGKILL)
    wait_for(brokers.serving, 60)
    found = broker.records(EVENTS)
    assert found
    identities = {(record.key() or b"").decode() + " " + name for name, records in by_id(broker).items()
                  for record in records}
    assert {f"{entity} {event_id}" for entity, event_id in load.acknowledged} <= identities


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("fault", "end"), [(Brokers.kill, Brokers.start), (Brokers.freeze, Brokers.thaw)])
def test_while_no_broker_answers_requests_are_refused_within_a_bounded_time(
        brokers: Brokers, tmp_path: Path, fault: Callable[[Brokers], None], end: Callable[[Brokers], None]) -> None:
    ingestion = Ingestion(Broker(brokers.kafka), tmp_path)
    ingestion.start()
    wait_for(ingestion.ready, 120)
    try:
        with ingestion.client() as client:
            assert client.post("/events", json=event("before")).status_code == 200
            fault(brokers)
            began = time.monotonic()
            answer = client.post("/events", json=event("while"))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert time.monotonic() - began < 20
            wait_for(lambda: not ingestion.ready(), 5)
            began = time.monotonic()
            assert client.post("/events", json=event("after")).status_code == 503
            assert time.monotonic() - began < 5  # it is known that nobody answers
            assert client.post("/events", json=event("before")).status_code == 200  # that one is acknowledged
            end(brokers)
            wait_for(ingestion.ready, 120)
            assert client.post("/events", json=event("while")).status_code == 200
    finally:
        ingestion.end(signal.SIGKILL)
