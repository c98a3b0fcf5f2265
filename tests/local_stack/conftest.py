"""Fixtures of the local stack's tests: random free ports, waiting for a condition."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from automl_stream.local_stack.ports import Ports, unused_ports

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def ports() -> Ports:
    """Ports nobody listens on."""
    return unused_ports()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Poll a condition until it holds, or fail after some seconds."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come to hold in time"
            time.sleep(0.02)

    return wait
