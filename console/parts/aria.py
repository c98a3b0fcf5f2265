"""What a screen reader is told."""

from typing import Any


def aria(**values: str) -> Any:
    """As properties of a component: `**aria(label="Pages")` is its aria-label."""
    return {f"aria-{name}": value for name, value in values.items()}
