"""Fixtures of the local stack's tests: random free ports, waiting for a condition."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from automl_stream.local_stack.ports import LOOPBACK, Ports

if TYPE_CHECKING:
    from collections.abc import Callable


def free_ports() -> Ports:
    """Return five ports nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(5)]
        numbers = [one.getsockname()[1] for one in sockets]
    return Ports(**dict(zip(Ports.__struct_fields__, numbers, strict=True)))


@pytest.fixture
def ports() -> Ports:
    """Five ports nobody listens on."""
    return free_ports()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Poll a condition until it holds, or fail after some seconds."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come to hold in time"
            time.sleep(0.02)

    return wait
