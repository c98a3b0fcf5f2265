"""Moments in the user's time zone, with UTC on hover."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dash import html

NEVER = "-"


def local_text(ms: int | None, zone: ZoneInfo) -> str:
    """As a person there writes it: 2026-11-29 04:12:07."""
    return NEVER if ms is None else _at(ms, zone).strftime("%Y-%m-%d %H:%M:%S")


def utc_text(ms: int | None) -> str:
    """The same moment in UTC, with milliseconds."""
    return NEVER if ms is None else datetime.fromtimestamp(ms / 1_000, UTC).isoformat(" ", "milliseconds")[:23] + " UTC"


def moment(ms: int | None, zone: ZoneInfo) -> html.Time | str:
    """A moment on a page."""
    if ms is None:
        return NEVER
    stated = datetime.fromtimestamp(ms / 1_000, UTC).isoformat()
    return html.Time(local_text(ms, zone), dateTime=stated, title=utc_text(ms))


def span_text(ms: float) -> str:
    """A span of time in its largest unit: 3.2 s, 14 min, 2.5 h, 12 d."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if abs(ms) >= size:
            return f"{ms / size:.3g} {unit}"
    return f"{ms:.0f} ms"


def _at(ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone(zone)
