"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

FoundT = TypeVar("FoundT")


def wait_for(look: Callable[[], FoundT | None], seconds: float) -> FoundT:
    """What `look` finds, looked for again and again; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None or found is False:
        assert time.monotonic() < deadline, f"nothing within {seconds} s"
        time.sleep(0.02)
    return found
