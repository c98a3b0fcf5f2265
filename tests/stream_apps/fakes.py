"""Stand-ins for the transport and the producer, and a network that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from faust.types import TP

from stream_apps.delivery import Record
from tests.tiny import FakeRecord


@dataclass(kw_only=True)
class FakeApp:
    """What an agent asks of its application."""

    completed: list[Any] = field(default_factory=list)
    assigned: set[TP] = field(default_factory=set)
    caught_up: bool = True

    @property
    def consumer(self) -> Any:
        return SimpleNamespace(complete=self.completed.append, current=lambda _message: True,
                               assignment=lambda: self.assigned, caught_up=lambda _tp: self.caught_up)


@dataclass(kw_only=True)
class FakeMessage:
    """A chunk."""

    topic: str
    partition: int
    records: Sequence[FakeRecord]

    def take(self) -> Sequence[FakeRecord]:
        return self.records


class FakeStream:
    """A stream of the given chunks: (topic, partition, records)."""

    def __init__(self, *chunks: tuple[str, int, Sequence[FakeRecord]]) -> None:
        self._chunks = chunks

    def noack(self) -> "FakeStream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        for topic, partition, records in self._chunks:
            yield SimpleNamespace(message=FakeMessage(topic=topic, partition=partition, records=records))


@dataclass(kw_only=True)
class FakeDelivery:
    """Keeps what is sent."""

    sent: list[Record] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, records: Sequence[Record]) -> None:
        self.sent += records
        self.arrived.set()

    async def send_pairs(self, topic: str, partition: int, pairs: Sequence[tuple[bytes | None, bytes]]) -> None:
        await self.send([Record(topic, partition, key, value) for key, value in pairs])


class Cable:
    """A way to PostgreSQL that can be cut: all connections end, and none can be made until it is mended."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._far = (parts.hostname, parts.port)
        self._rest = (parts.username, parts.password, parts.path)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._ends: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        user, password, path = self._rest
        return f"postgresql://{user}:{password}@127.0.0.1:{self._port}{path}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()
        await self._server.wait_closed()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._far)
        self._ends += [writer, far_writer]
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass  # the cable was cut
    finally:
        sink.close()
