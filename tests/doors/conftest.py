"""A door that is really open: a server on loopback whose one route says what it was brought."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from litestar import post
from msgspec import Struct

from doors.app import AnyRequest, door, problems
from doors.entry import CALLER
from doors.metrics import DoorMetrics
from doors.server import server
from doors.settings import LOOPBACK, DoorSettings, Limits
from doors.tokens import Tokens
from telemetry.metrics import ServiceMetrics
from tests.wait import wait_for

TOKENS = {"ann": "ann-has-a-long-token", "bob": "bob-has-another-one.."}
BODY_BYTES = 1_000


class Brought(Struct):
    """What the route was brought, and by whom."""

    size: int
    caller: str


@dataclass
class OpenDoor:
    """An open door. While `shut` is set, its route does not answer."""

    port: int = 0
    shut: threading.Event = field(default_factory=threading.Event)
    trouble: str = ""
    metrics: ServiceMetrics = field(default_factory=ServiceMetrics)

    def client(self, caller: str = "ann") -> httpx2.Client:
        return httpx2.Client(base_url=f"http://{LOOPBACK}:{self.port}", timeout=30,
                             headers={"Authorization": f"Bearer {TOKENS[caller]}"})

    def connect(self) -> socket.socket:
        found = socket.create_connection((LOOPBACK, self.port))
        found.settimeout(10)
        return found


@contextmanager
def opened(limits: Limits, tokens: Tokens) -> Iterator[OpenDoor]:
    found = OpenDoor()

    @post("/bring", status_code=200, responses=problems())
    async def bring(request: AnyRequest) -> Brought:
        body = await request.body()
        while found.shut.is_set():  # noqa: ASYNC110 - the event belongs to the test's thread
            await asyncio.sleep(0.005)
        if body == b"defect":
            raise ZeroDivisionError("secret detail")
        return Brought(len(body), request.scope["state"][CALLER])

    settings = DoorSettings(host=LOOPBACK, port=0, tokens=tokens, limits=limits)
    app = door([bring], settings, title="Bring", description="Says what it was brought.",
               routes={"/bring": BODY_BYTES}, trouble=lambda: found.trouble, metrics=DoorMetrics(found.metrics))
    running = server(app, settings)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        wait_for(lambda: running.started, 30)
        found.port = running.servers[0].sockets[0].getsockname()[1]
        yield found
    finally:
        found.shut.clear()
        running.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def opening() -> Iterator[Callable[[Limits], OpenDoor]]:
    """Opens a door that bears what is asked."""
    with ExitStack() as stack:
        yield lambda limits: stack.enter_context(opened(limits, Tokens(list(TOKENS.items()))))


@pytest.fixture
def entrance(opening: Callable[[Limits], OpenDoor]) -> OpenDoor:
    """A door that bears what one does by default."""
    return opening(Limits())
