"""Micro-batch transport: an agent gets one Faust event per fetched chunk of one partition.

Read in the order of the flow: `group` (aiokafka's membership), `start` (where a partition resumes), `fetch` (librdkafka
reads), `chunk` (rows to messages), `prefix` and `commits` (what may be committed), `consumer` (what is handed out),
`driver` (the application).

    @app.agent(app.chunks("events"))
    async def score(stream):
        async for event in stream.noack().events():
            rows = event.message.take()             # of one partition, in offset order
            ...                                     # deliver every output
            app.consumer.complete(event.message)    # the only thing that lets an offset be committed
"""

from stream_apps.transport.chunk import Chunking, ChunkMessage, Row
from stream_apps.transport.consumer import Consumer
from stream_apps.transport.driver import StreamApp
from stream_apps.transport.start import (
    ExpiredHook,
    ExpiredOffsetsError,
    LostPositionError,
    ShortLogError,
    TransportError,
)

__all__ = [
    "ChunkMessage",
    "Chunking",
    "Consumer",
    "ExpiredHook",
    "ExpiredOffsetsError",
    "LostPositionError",
    "Row",
    "ShortLogError",
    "StreamApp",
    "TransportError",
]
