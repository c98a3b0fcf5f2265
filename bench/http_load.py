"""Open-loop HTTP load: requests leave on a fixed schedule over so many connections, whatever becomes of them.

Latency counts from the moment at which a request was *due*: one that waits for a connection, because all are taken,
waits in the figures too (coordinated omission; see open_loop.py).
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import httptools
import numpy as np
import uvloop
from numpy.typing import NDArray

from bench.open_loop import OpenLoopError, Schedule, no_collection

CONNECTIONS = 50
PATIENCE = 30.0  # seconds after the last request was due


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Seconds on the monotonic clock, an entry a request, and how often each status was answered. uvloop's own clock
    knows whole milliseconds only."""

    due: NDArray[np.float64]
    sent: NDArray[np.float64]
    arrived: NDArray[np.float64]
    statuses: Counter[int]

    def latencies(self, warm_up: float = 0.0) -> NDArray[np.float64]:
        """Milliseconds from due to the whole answer, without the requests of the first `warm_up` seconds."""
        counted = self.due >= self.due[0] + warm_up
        return (self.arrived - self.due)[counted] * 1_000


def post(path: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A request as it goes over a connection that stays open."""
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json",
             f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def drive(port: int, requests: Sequence[bytes], schedule: Schedule, connections: int = CONNECTIONS) -> Heard:
    """Send `requests`, one after the other as they are due, to a port of loopback.

    Raises:
        OpenLoopError: when a connection ends or an answer is missing.
    """
    with no_collection():
        return uvloop.run(_drive(port, requests, schedule, connections))


async def _drive(port: int, requests: Sequence[bytes], schedule: Schedule, connections: int) -> Heard:
    loop = asyncio.get_running_loop()
    driver = _Driver(requests, time.monotonic() + 0.1 + schedule.due())
    for _ in range(connections):
        _, connection = await loop.create_connection(lambda: _Connection(driver), "127.0.0.1", port)
        driver.free.append(connection)
    for number, moment in enumerate(driver.due.tolist()):
        if (wait := moment - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        driver.send(number)
    try:
        await asyncio.wait_for(driver.done, PATIENCE)
    except TimeoutError as error:
        raise OpenLoopError(f"{driver.left} of {len(requests)} requests have no answer") from error
    return Heard(due=driver.due, sent=driver.sent, arrived=driver.arrived, statuses=driver.statuses)


class _Driver:
    """Who waits for a connection, and what was answered when."""

    def __init__(self, requests: Sequence[bytes], due: NDArray[np.float64]) -> None:
        self.due = due
        self.sent, self.arrived = np.full(len(due), np.nan), np.full(len(due), np.nan)
        self.statuses: Counter[int] = Counter()
        self.free: deque[_Connection] = deque()
        self.left = len(due)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._waiting: deque[int] = deque()

    def send(self, number: int) -> None:
        """Send a request, or let it wait for a connection."""
        if self.free:
            self._write(self.free.popleft(), number)
        else:
            self._waiting.append(number)

    def answered(self, connection: "_Connection", status: int) -> None:
        """An answer is complete."""
        self.arrived[connection.number] = time.monotonic()
        self.statuses[status] += 1
        self.left -= 1
        if self._waiting:
            self._write(connection, self._waiting.popleft())
        else:
            self.free.append(connection)
        if not self.left:
            self.done.set_result(None)

    def lost(self) -> None:
        """A connection ended under a request."""
        if not self.done.done():
            self.done.set_exception(OpenLoopError("a connection was closed"))

    def _write(self, connection: "_Connection", number: int) -> None:
        self.sent[number] = time.monotonic()
        connection.send(number, self._requests[number])


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, driver: _Driver) -> None:
        self.number = -1
        self._driver = driver
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def send(self, number: int, request: bytes) -> None:
        """Write a request."""
        self.number = number
        assert self._transport is not None  # noqa: S101 - it is connected
        self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own kind

    def data_received(self, data: bytes) -> None:
        """Part of an answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """All of it."""
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        self._driver.answered(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed."""
        del exc
        self._driver.lost()
