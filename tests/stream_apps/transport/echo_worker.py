"""A worker of the integration tests: writes every row's value to a topic, and a journal of what the transport did.

Run with one argument, the plan as JSON.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from faust.types import TP

from stream_apps.delivery import Delivery, Record
from stream_apps.transport import ChunkMessage, Row
from stream_apps.worker import WorkerSettings, die, make_app, run

IN_FLIGHT = 6


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker should do, and where its files are."""

    settings: WorkerSettings
    topics: list[str]
    output: str
    journal: Path
    gate: Path | None = None  # the agent waits for this file with its first chunk
    fail: Path | None = None  # the agent raises when this file appears, and removes it
    hold_at: int | None = None  # chunks with this offset are never completed, later ones are
    resume_at: dict[int, int] = {}  # by partition of the first topic


class EchoWorker:
    """The application and what it notes."""

    def __init__(self, plan: Plan) -> None:
        """Make the application; it connects when it runs."""
        self.plan = plan
        self.journal = plan.journal.open("a", buffering=1)
        self.app = make_app("echo", plan.settings, self.note_expired)
        self.delivery = Delivery(plan.settings.kafka)
        self.room = asyncio.Semaphore(IN_FLIGHT)
        self.tasks: set[asyncio.Task[None]] = set()
        self.app.on_rebalance_complete.connect(self.note_assigned, weak=False)
        self.app.timer(0.2)(self.note_caught_up)
        self.app.agent(self.app.chunks(*plan.topics), name="echo")(self.echo)

    async def echo(self, stream: Any) -> None:
        """Deliver chunks, several at a time, in whatever order they end."""
        async for event in stream.noack().events():
            message = event.message
            rows = message.take()
            self.note("chunk", topic=message.topic, partition=message.partition, first=message.first, end=message.end)
            while self.plan.gate is not None and not self.plan.gate.exists():  # noqa: ASYNC110  # another process opens it
                await asyncio.sleep(0.02)
            if self.plan.fail is not None and self.plan.fail.exists():
                self.plan.fail.unlink()
                raise RuntimeError("asked to fail")
            await self.room.acquire()
            task = asyncio.create_task(self.deliver(message, rows))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def deliver(self, message: ChunkMessage, rows: Sequence[Row]) -> None:
        """Write the chunk's rows, then complete it."""
        try:
            await self.delivery.send([Record(self.plan.output, None, row.value, row.value) for row in rows])
        except Exception as error:
            await die(self.app, error)
            raise
        finally:
            self.room.release()
        if self.plan.hold_at is None or not message.first <= self.plan.hold_at < message.end:
            self.app.consumer.complete(message)

    def note(self, what: str, **facts: Any) -> None:
        """Write a line to the journal."""
        self.journal.write(msgspec.json.encode({"what": what, **facts}).decode() + "\n")

    async def note_expired(self, tp: TP, wanted: int, first: int) -> None:
        """Note a range that retention removed."""
        self.note("expired", partition=tp.partition, wanted=wanted, first=first)

    async def note_assigned(self, *_: Any, **__: Any) -> None:
        """Note the assignment, and say where to resume."""
        for partition, offset in self.plan.resume_at.items():
            self.app.consumer.resume_at[TP(self.plan.topics[0], partition)] = offset
        self.note("assigned", partitions=sorted(tp.partition for tp in self.app.consumer.assignment()))

    async def note_caught_up(self) -> None:
        """Note the partitions whose every row is complete."""
        for tp in self.app.consumer.assignment():
            if self.app.consumer.caught_up(tp):
                self.note("caught up", topic=tp.topic, partition=tp.partition,
                          position=self.app.consumer.positions[tp])


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.argv[1], type=Plan, dec_hook=lambda kind, text: kind(text))
    run(EchoWorker(plan).app)
