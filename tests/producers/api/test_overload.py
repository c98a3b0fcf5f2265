"""A caller that sends far more than it may is slowed; the others are served (fault 14)."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from bench.http_load import drive, post
from bench.open_loop import Schedule
from tests.producers.api.conftest import TOKENS, Ingestion, event

CONNECTIONS = 130  # of which 64 may have a request under way
BATCHES, ROWS = 600, 100
RATE = 10_000  # batches a second: each connection always has its next


def test_a_flood_of_one_caller_is_429_and_another_is_served(ingestion: Ingestion) -> None:
    headers = [("Authorization", f"Bearer {TOKENS['till']}")]
    batches = [post("/events/batch", msgspec.json.encode([event(f"flood-{k}-{row}") for row in range(ROWS)]), headers)
               for k in range(BATCHES)]
    served: list[int] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, ingestion.client("shop") as client:
        flood = pool.submit(drive, ingestion.port, batches, Schedule(rate=RATE, seconds=BATCHES / RATE), CONNECTIONS)
        while not flood.done() or not served:
            served.append(client.post("/events", json=event(f"shop-{len(served)}")).status_code)
    statuses = flood.result().statuses
    assert (statuses.total(), set(statuses)) == (BATCHES, {200, 429})
    assert set(served) == {200}
