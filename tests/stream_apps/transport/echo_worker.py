"""A worker of the integration tests: writes every row's value to a topic, and a journal of what the transport did.

Run with one argument, the plan as JSON.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
from faust.types import TP

from stream_apps.delivery import Delivery, Record
from stream_apps.transport import ChunkMessage
from stream_apps.worker import WorkerSettings, die, make_app, run


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker should do, and where its files are."""

    settings: WorkerSettings
    topics: list[str]
    output: str
    journal: Path
    gate: Path | None = None  # the agent waits for this file before its first chunk
    fail: Path | None = None  # the agent raises when this file appears, and removes it
    hold_at: int | None = None  # chunks with this offset are never completed, later ones are
    resume_at: dict[int, int] = {}  # by partition of the first topic
    in_flight: int = 6


def main(plan: Plan) -> None:
    """Run the worker."""
    journal = plan.journal.open("a", buffering=1)

    def note(what: str, **facts: Any) -> None:
        journal.write(msgspec.json.encode({"what": what, **facts}).decode() + "\n")

    async def on_expired(tp: TP, wanted: int, first: int) -> None:
        note("expired", partition=tp.partition, wanted=wanted, first=first)

    app = make_app("echo", plan.settings, on_expired)
    delivery = Delivery(plan.settings.bootstrap_servers)
    room = asyncio.Semaphore(plan.in_flight)

    @app.on_rebalance_complete.connect
    async def assigned(*_: Any, **__: Any) -> None:
        for partition, offset in plan.resume_at.items():
            app.consumer.resume_at[TP(plan.topics[0], partition)] = offset
        note("assigned", partitions=sorted(tp.partition for tp in app.consumer.assignment()))

    async def deliver(message: ChunkMessage) -> None:
        try:
            await delivery.send([Record(plan.output, None, row.value, row.value) for row in message.value])
            if plan.hold_at is None or not message.first <= plan.hold_at < message.end:
                app.consumer.complete(message)
        except Exception as error:
            await die(app, error)
            raise
        finally:
            room.release()

    tasks: set[asyncio.Task[None]] = set()

    @app.agent(app.chunks(*plan.topics))
    async def echo(stream: Any) -> None:
        while plan.gate is not None and not plan.gate.exists():
            await asyncio.sleep(0.02)
        async for event in stream.noack().events():
            message = event.message
            note("chunk", topic=message.topic, partition=message.partition, first=message.first, end=message.end)
            if plan.fail is not None and plan.fail.exists():
                plan.fail.unlink()
                raise RuntimeError("asked to fail")
            await room.acquire()
            task = asyncio.create_task(deliver(message))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    @app.timer(0.2)
    async def report() -> None:
        for tp in app.consumer.assignment():
            if app.consumer.caught_up(tp):
                note("caught up", topic=tp.topic, partition=tp.partition, high_water=app.consumer.high_water(tp))

    run(app)


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Plan, dec_hook=lambda kind, text: kind(text)))
