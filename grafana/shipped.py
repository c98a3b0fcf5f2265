"""The dashboards that are shipped, as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

DIRECTORY = Path(__file__).with_name("dashboards")
NAMES: Sequence[str] = ("health", "drift", "lifecycle", "data-quality")
"""In the order a reader needs them."""


def shipped() -> Sequence[dict[str, Any]]:
    """Each dashboard as Grafana takes it."""
    return [msgspec.json.decode((DIRECTORY / f"{name}.json").read_bytes()) for name in NAMES]
