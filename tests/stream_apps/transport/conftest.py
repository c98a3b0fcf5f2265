"""Temporary: a broker from the environment, until the session's own fixture provides it."""

import os

import pytest


@pytest.fixture(scope="session")
def bootstrap_servers() -> str:
    """Address of a running broker."""
    return os.environ.get("TEST_BOOTSTRAP", "127.0.0.1:29092")
