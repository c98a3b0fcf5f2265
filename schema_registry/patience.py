"""Waiting for a schema registry that is away: it is at fault, not the events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schema_registry.errors import RegistryAway

PAUSES = (0.5, 8.0)  # seconds until it is asked again: the first time, and at most

ResultT = TypeVar("ResultT")
log = structlog.get_logger()


async def patiently(work: Callable[[], Awaitable[ResultT]], wanted: Callable[[], bool],
                    **where: object) -> ResultT | None:
    """What `work` gives, once the registry answers it; None as soon as it is no longer `wanted`."""
    pause, longest = PAUSES
    while wanted():
        try:
            return await work()
        except RegistryAway as error:
            log.warning("events wait for the schema registry", error=str(error), retry_seconds=pause, **where)
        await asyncio.sleep(pause)
        pause = min(2 * pause, longest)
    return None
